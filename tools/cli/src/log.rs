//! Logging to standard error, as configured by `--log` and the variable `STRUM_LOG`.

use std::env::VarError;
use std::io;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Directive, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// A log filter: a level, or directives such as `warn,strum_passes=debug`, in the syntax of `EnvFilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The environment variable for a filter; an option takes precedence.
    pub const VARIABLE: &'static str = "STRUM_LOG";
    /// The default.
    pub const DEFAULT: &'static str = "warn";

    /// The filter of the environment, or the default.
    ///
    /// # Errors
    /// When the variable is invalid.
    pub fn of_environment() -> Result<Filter, String> {
        match std::env::var(Filter::VARIABLE) {
            Ok(text) => text.parse().map_err(|error| format!("{}={text}: {error}", Filter::VARIABLE)),
            Err(VarError::NotPresent) => Filter::DEFAULT.parse(),
            Err(VarError::NotUnicode(_)) => Err(format!("{} is not UTF-8", Filter::VARIABLE)),
        }
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        let expected =
            "expected off, error, warn, info, debug, trace, or directives such as warn,strum_passes=debug";
        for directive in text.split(',') {
            // EnvFilter reads a lone word as a target and a number as a level: here, either is a mistake.
            let level = ["off", "error", "warn", "info", "debug", "trace"].contains(&directive);
            let directs = directive.contains(['=', '[']) && Directive::from_str(directive).is_ok();
            if !level && !directs {
                return Err(expected.to_owned());
            }
        }
        Ok(Filter(text.to_owned()))
    }
}

/// Logs the events that the filter selects to standard error. Events of `also` are always enabled at level `info`: their
/// handling is decided elsewhere.
pub fn start_log(filter: &Filter, also: Option<&'static str>) {
    let layer = fmt::layer().with_writer(io::stderr).without_time();
    // A second logger in one process has no effect.
    let _ = match filter.0.parse::<LevelFilter>() {
        // The parser of directives compiles regular expressions, which a short run would notice.
        Ok(level) => {
            let shown = Targets::new().with_default(level);
            let shown =
                also.into_iter().fold(shown, |shown, target| shown.with_target(target, LevelFilter::INFO));
            tracing_subscriber::registry().with(layer.with_filter(shown)).try_init()
        }
        Err(_) => {
            let shown = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
            let directives = also.map(|target| format!("{target}=info"));
            let shown = directives
                .and_then(|text| text.parse().ok())
                .into_iter()
                .fold(shown.parse_lossy(&filter.0), EnvFilter::add_directive);
            tracing_subscriber::registry().with(layer.with_filter(shown)).try_init()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_filters_and_nothing_else() {
        for good in ["off", "debug", "warn,strum_passes=debug", "dpu_sim[run]=trace,error"] {
            assert_eq!(good.parse(), Ok(Filter(good.to_owned())));
        }
        for bad in ["", "3", "loud", "debug,", "strum_passes", "strum_passes=loud"] {
            assert!(bad.parse::<Filter>().is_err_and(|error| error.starts_with("expected off, ")), "{bad}");
        }
    }
}
