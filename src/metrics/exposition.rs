//! Figures in Prometheus' text format, version 0.0.4.

use prometheus::{
    Histogram, TextEncoder,
    core::Collector,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

/// What is shown of one moment, in the order in which it was added.
#[derive(Debug, Default)]
pub struct Exposition(Vec<MetricFamily>);

impl Exposition {
    /// What its text is served as.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Adds something that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters::<0, &str>(name, help, [], [([], value)]);
    }

    /// The same in several series, each with its values of `labels`.
    pub fn counters<const N: usize, S: Into<String>>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([S; N], u64)>,
    ) {
        let series = series.into_iter().map(|(values, value)| {
            counted(Metric::from_label(pairs(labels, values)), value as f64)
        });
        self.family(name, help, MetricType::COUNTER, series.collect());
    }

    /// The same where it grows by fractions.
    pub fn fraction_counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, help, MetricType::COUNTER, vec![counted(Metric::default(), value)]);
    }

    /// Adds something that comes and goes.
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.gauges::<0, &str>(name, help, [], [([], value)]);
    }

    /// The same in several series, each with its values of `labels`.
    pub fn gauges<const N: usize, S: Into<String>>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([S; N], u64)>,
    ) {
        let series = series.into_iter().map(|(values, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value as f64);
            let mut metric = Metric::from_label(pairs(labels, values));
            metric.set_gauge(gauge);
            metric
        });
        self.family(name, help, MetricType::GAUGE, series.collect());
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0).expect("each has a name and a value")
    }

    pub(super) fn histogram(&mut self, histogram: &Histogram) {
        self.0.extend(histogram.collect());
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, series: Vec<Metric>) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(series);
        self.0.push(family);
    }
}

fn counted(mut metric: Metric, value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    metric.set_counter(counter);
    metric
}

fn pairs<const N: usize, S: Into<String>>(labels: [&str; N], values: [S; N]) -> Vec<LabelPair> {
    let pair = |(label, value): (&str, S)| {
        let mut pair = LabelPair::default();
        pair.set_name(label.to_owned());
        pair.set_value(value.into());
        pair
    };
    labels.into_iter().zip(values).map(pair).collect()
}
