//! The rooms over a real socket pair, with the real `mastmaint-runner` and real children.

#[cfg(test)]
mod brackets;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod state;
#[cfg(test)]
mod systemctl;
