//! Metrics: what is known of versions and rollouts, told to a recorder of the `metrics` facade.
//!
//! Starts and ends are counted where they happen, in words of their version; everything else is read
//! off the routing when somebody asks. Nothing is kept for a version that is retired.

mod samples;

use std::collections::BTreeSet;

use samples::{Kind, METRICS, Number, Sample, Series, samples};

use super::Runtime;

/// The gauges that were told the last time: those that are gone are told as zero, once.
#[derive(Debug, Default)]
pub(super) struct Told {
    gauges: BTreeSet<Series>,
}

impl Told {
    /// The gauges that are no longer among the samples.
    fn gone(&mut self, samples: &[Sample]) -> Vec<Sample> {
        let gauges = samples.iter().filter(|sample| matches!(sample.number, Number::Gauge(_)));
        let gauges = gauges.map(|sample| sample.series.clone()).collect();
        let before = std::mem::replace(&mut self.gauges, gauges);
        let gone = before.difference(&self.gauges).cloned();
        gone.map(|series| Sample { series, number: Number::Gauge(0.0) }).collect()
    }
}

impl Runtime {
    /// Tells the current recorder of the `metrics` facade every number about versions and rollouts.
    ///
    /// Call it before the numbers are read: before each scrape, or every few seconds. Its cost
    /// follows the number of versions that are not retired and of live runs. Of a version that is retired nothing is
    /// told any more; its gauges are set to zero once, and a recorder that forgets series which are
    /// idle forgets them. The names are listed in `docs/metrics.md`. Two runtimes that have
    /// graphs of the same names need a recorder each.
    ///
    /// Only with the feature `metrics`.
    pub fn record_metrics(&self) {
        for metric in METRICS {
            match metric.kind {
                Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
                Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            }
        }
        // Held to the end: of two calls at once, the one that reads first tells first.
        let mut told = self.inner.told.lock();
        let mut samples = samples(&self.inner);
        samples.extend(told.gone(&samples));
        for Sample { series, number } in samples {
            let Series { name, labels } = &series;
            match number {
                Number::Counter(count) => metrics::counter!(*name, labels).absolute(count),
                Number::Gauge(value) => metrics::gauge!(*name, labels).set(value),
            }
        }
    }
}
