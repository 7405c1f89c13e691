//! The words spoken on the control sockets, for client and server. One JSON object a line in both directions;
//! knows nothing of what stands behind them.

pub mod words;
