//! The ledger from outside: what it keeps, what it says of damage, what survives a kill, and that it agrees with a
//! list in memory.

mod behaviour;
mod common;
mod crash;
mod damage;
mod model;
