//! When jobs run. [`policy`] decides what is due from plain data and a given now; [`ticker`] wakes the daemon at the
//! instants that the policy names. A wake-up is only a hint to ask the policy again: lost or doubled ones do no harm.

mod alarm;
pub mod clock;
pub mod policy;
mod storage;
pub mod ticker;
