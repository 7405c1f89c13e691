//! A target of `notify:` in the schema of the config file.

use crate::{
    calendar::Schedule,
    targets::{Mail, Preset, Secret, Smtp, Target, Tls, Via, Way},
};
use mastmaint_words::{JobName, Occasion};
use serde::Serialize;
use std::{collections::BTreeSet, path::Path};

#[derive(Default, Serialize)]
pub(super) struct WrittenTarget<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<&'a BTreeSet<Occasion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp: Option<WrittenSmtp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sendmail: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthchecks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<&'a BTreeSet<JobName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenSmtp<'a> {
    host: &'a str,
    port: u16,
    tls: Tls,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<&'a Path>,
}

pub(super) fn written(target: &Target) -> WrittenTarget<'_> {
    let time = |schedule: &Schedule| {
        schedule.times_of_day().next().map(|time| format!("{:02}:{:02}", time.hour(), time.minute()))
    };
    let common = WrittenTarget {
        on: Some(&target.on).filter(|on| !on.is_empty()),
        jobs: Some(&target.jobs).filter(|jobs| !jobs.is_empty()),
        at: target.summary.as_ref().and_then(time),
        timezone: target.summary.as_ref().map(Schedule::timezone_name),
        ..WrittenTarget::default()
    };
    match &target.way {
        Way::Mail(mail) => written_mail(mail, common),
        Way::Webhook(hook) => WrittenTarget {
            webhook: Some(hook.url.expose()),
            preset: Some(hook.preset),
            token: hook.token.as_ref().map(Secret::expose),
            ..common
        },
        Way::Healthchecks { url } => WrittenTarget { healthchecks: Some(url.expose()), ..common },
    }
}

fn written_mail<'a>(mail: &'a Mail, common: WrittenTarget<'a>) -> WrittenTarget<'a> {
    let common = WrittenTarget { mail: Some(&mail.to), from: mail.from.as_deref(), ..common };
    match &mail.via {
        Via::Sendmail { program } => WrittenTarget { sendmail: Some(program), ..common },
        Via::Smtp(Smtp { host, port, tls, login }) => {
            let login = login.as_ref();
            let smtp = WrittenSmtp {
                host,
                port: *port,
                tls: *tls,
                user: login.map(|login| login.user.as_str()),
                password_file: login.map(|login| login.password_file.as_path()),
            };
            WrittenTarget { smtp: Some(smtp), ..common }
        }
    }
}
