//! A criterion group whose cases are measured beside a floor, summed up in a table.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use tokio::runtime::Runtime;

/// How many samples criterion takes of a case.
const SAMPLES: usize = 10;

/// A group of cases; each names the case that is its floor, measured before it.
pub struct Stage<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    tokio: &'a Runtime,
    medians: Vec<Median>,
}

struct Median {
    case: &'static str,
    floor: &'static str,
    elements: u64,
    /// Nanoseconds per element.
    each: f64,
}

impl<'a> Stage<'a> {
    pub fn new(criterion: &'a mut Criterion, name: &str, tokio: &'a Runtime) -> Self {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(SAMPLES).warm_up_time(Duration::from_millis(300));
        Self { group, tokio, medians: Vec::new() }
    }

    /// Measures a case of so many elements; a floor is its own floor.
    pub fn measure<F: Future>(
        &mut self,
        case: &'static str,
        floor: &'static str,
        elements: u64,
        routine: impl Fn() -> F,
    ) {
        let samples = RefCell::new(Vec::new());
        let sample = async |times: u64| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(routine().await);
            }
            let took = start.elapsed();
            samples.borrow_mut().push(took.as_nanos() as f64 / (times * elements) as f64);
            took
        };
        // What takes long is not repeated more often from sample to sample.
        let (mode, seconds) = match elements {
            1_000_000.. => (SamplingMode::Flat, 15),
            100_000.. => (SamplingMode::Flat, 5),
            _ => (SamplingMode::Auto, 1),
        };
        self.group.sampling_mode(mode).measurement_time(Duration::from_secs(seconds));
        self.group.throughput(Throughput::Elements(elements));
        self.group.bench_function(BenchmarkId::new(case, elements), |bencher| {
            bencher.to_async(self.tokio).iter_custom(&sample);
        });
        // The first ones are those of the warm-up; there are no others if nothing was measured.
        let mut samples = samples.into_inner();
        if samples.len() > SAMPLES {
            let last = samples.len() - SAMPLES;
            samples.drain(..last);
            samples.sort_by(f64::total_cmp);
            let each = (samples[SAMPLES / 2 - 1] + samples[SAMPLES / 2]) / 2.0;
            self.medians.push(Median { case, floor, elements, each });
        }
    }

    /// Prints every case beside its floor.
    pub fn finish(self) {
        self.group.finish();
        let cases: Vec<_> = self.medians.iter().filter(|one| one.case != one.floor).collect();
        if cases.is_empty() {
            return;
        }
        println!("| case | elements | ns per element | floor, ns | times the floor |");
        println!("| --- | ---: | ---: | ---: | ---: |");
        for Median { case, floor, elements, each } in cases {
            let is_floor = |one: &&Median| (one.case, one.elements) == (*floor, *elements);
            let (floor, times) = match self.medians.iter().find(is_floor) {
                Some(floor) => (format!("{:.0}", floor.each), format!("{:.2}", each / floor.each)),
                None => ("not measured".to_owned(), String::new()),
            };
            println!("| {case} | {elements} | {each:.0} | {floor} | {times} |");
        }
    }
}
