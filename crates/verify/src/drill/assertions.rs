//! The admin's own questions to a restored database.

use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    revive::Ask,
};

/// The admin's own questions: each is one value, and it must be true.
pub(super) fn hold(of: &dyn Ask, assertions: &[String]) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    for sql in assertions {
        let evidence = match of.ask(sql)? {
            Ok(answer) if answer == "t" => continue,
            Ok(answer) if answer == "f" => "answered: false".to_owned(),
            Ok(answer) => format!("answered {:?}, not true", answer.chars().take(200).collect::<String>()),
            Err(refused) => refused,
        };
        let advice = "Look whether the dump lacks something or the assertion is out of date.";
        let what = format!("an assertion does not hold: {sql}");
        findings.push(Finding::fail(Code::AssertionFailed, what, advice).with([evidence]));
    }
    Ok(findings)
}
