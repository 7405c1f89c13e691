//! One step as a process tree, and the rooms' side of the protocol. Knows nothing of schedules or the ledger.

pub mod protocol;
