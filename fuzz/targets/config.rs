//! Any text is either refused with words or loads, and what loads is written out as something that loads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mastmaint_config::{MAX_FILE, effective_yaml, load_str};

fuzz_target!(|text: &str| {
    match load_str("m.yaml", text) {
        Err(rejection) => {
            assert!(!rejection.mistakes.is_empty(), "refused without a word");
            for diagnostic in &rejection.mistakes {
                assert!(
                    !diagnostic.headline().contains(['\n', '\r', '\u{1b}']),
                    "{:?}",
                    diagnostic.headline()
                );
                assert!(diagnostic.to_string().len() < 8192, "a mistake is no place for the whole file");
            }
        }
        Ok(first) => {
            let yaml = effective_yaml(&first.settings).expect("what was read as YAML can be written as YAML");
            // Defaults written out can make of a file that is small enough one that is not.
            if yaml.len() as u64 > MAX_FILE {
                return;
            }
            match load_str("effective.yaml", &yaml) {
                Ok(second) => {
                    assert_eq!(first.settings, second.settings, "{yaml}");
                    assert_eq!(first.digest, second.digest);
                }
                Err(rejection) => panic!("{:#?}\n{yaml}", rejection.mistakes),
            }
        }
    }
});
