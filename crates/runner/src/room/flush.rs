//! `redis-flush` steps: first what is in the Redis of the instance is looked at, which is what a person has to approve; then
//! it is emptied.

use super::{
    Options,
    plan::{Named, Work, home, no_instance, wrong_user},
};
use crate::{
    environment,
    exec::Sink,
    flush::{flush, look},
    protocol::{EventKind, LineClass, Stream},
    redact::Redactor,
};
use jiff::Timestamp;
use mastmaint_config::{
    accepted::RoomView,
    settings::{Environment, Instance, Step},
};
use mastmaint_instance::{Redis, Variables};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Verdict};

/// A flush, or the look before it, ready to be done.
pub(super) struct Flush {
    instance: Instance,
    variables: Environment,
    only_looks: bool,
}

pub(super) fn plan(options: &Options, view: &RoomView, step: &Step, named: &Named) -> Work {
    let Some(instance) = &view.instance else {
        return no_instance();
    };
    if let Some(verdict) = wrong_user(options, instance) {
        return Work::Settled(verdict);
    }
    Work::Flush(Box::new(Flush {
        instance: instance.clone(),
        variables: environment::for_tootctl(instance, &step.environment, &home()),
        only_looks: named.dry_run,
    }))
}

impl Flush {
    /// Does it.
    pub(super) fn act(&self, sink: &mut dyn Sink, stopping: &dyn Fn() -> bool) -> Verdict {
        let redactor = Redactor::for_instance(&self.instance.live, &self.variables);
        let mut tell = |text: String| {
            let text = redactor.redact(&text).into_owned();
            let class = LineClass::Output;
            sink.event(EventKind::Line { at: Timestamp::now(), stream: Stream::Stdout, class, text });
        };
        self.all(&mut tell, stopping).unwrap_or_else(|reason| {
            let text = redactor.redact(&reason.text).into_owned();
            Verdict::because(Outcome::Failed, Grade::Read, Reason { text, ..reason })
        })
    }

    fn all(&self, tell: &mut dyn FnMut(String), stopping: &dyn Fn() -> bool) -> Result<Verdict, Reason> {
        let variables = Variables::read(&self.instance.live, &self.variables)
            .map_err(|error| Reason::new("no-settings", format!("the settings cannot be read: {error}")))?;
        let all = Redis::all(&variables).map_err(|why| Reason::new("no-redis", why))?;
        let mut keys = 0;
        for redis in &all {
            let at = format!("Redis at {}, database {}", redis.at, redis.database);
            let silent =
                |error: std::io::Error| Reason::unreachable("redis-unreachable", format!("{at}: {error}"));
            if self.only_looks {
                let Some(stock) = look(redis, stopping).map_err(silent)? else {
                    let reason = Reason::new("cancelled", "it was told to end");
                    return Ok(Verdict::because(Outcome::Cancelled, Grade::Read, reason));
                };
                stock.sentences(&at).into_iter().for_each(&mut *tell);
                keys += stock.keys;
            } else {
                let gone = flush(redis).map_err(silent)?;
                tell(format!("{at} is empty; it held {gone} keys"));
                keys += gone;
            }
        }
        let text =
            if self.only_looks { format!("{keys} keys would go") } else { format!("{keys} keys are gone") };
        let verdict = Verdict::because(Outcome::Ok, Grade::Proved, Reason::new("redis-flush", text));
        Ok(Verdict { numbers: Numbers { removed: Some(keys), ..Numbers::default() }, ..verdict })
    }
}
