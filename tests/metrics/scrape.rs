//! What a scraper reads.

#![allow(unreachable_pub, reason = "a part of a test")]

use std::collections::{BTreeMap, BTreeSet};

use openmetrics_parser::{
    MetricFamily, PrometheusType, PrometheusValue, prometheus::parse_prometheus,
};
use signalpost::{
    hub::Hub,
    metrics::{Exposition, Source},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{TestServer, within};

/// One metric: its type, its labels with their values, and the values of its series by those.
#[derive(Debug)]
pub struct Family {
    pub kind: String,
    pub labels: BTreeMap<String, BTreeSet<String>>,
    pub series: BTreeMap<Vec<String>, f64>,
}

/// What a scraper makes of a text: a histogram shows its count.
pub fn parsed(text: &str) -> BTreeMap<String, Family> {
    let exposition = parse_prometheus(text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
    let family = |family: &MetricFamily<PrometheusType, PrometheusValue>| {
        let mut read = Family {
            kind: family.family_type.to_string(),
            labels: BTreeMap::new(),
            series: BTreeMap::new(),
        };
        assert!(!family.help.is_empty(), "{}", family.family_name);
        for sample in family.iter_samples() {
            let labels = sample.get_labelset().unwrap();
            for (label, value) in labels.iter() {
                read.labels.entry(label.clone()).or_default().insert(value.clone());
            }
            let value = match &sample.value {
                PrometheusValue::Counter(counter) => counter.value.as_f64(),
                PrometheusValue::Gauge(gauge) => gauge.as_f64(),
                PrometheusValue::Histogram(histogram) => histogram.count.unwrap() as f64,
                other => panic!("{other:?}"),
            };
            read.series.insert(labels.iter_values().cloned().collect(), value);
        }
        read
    };
    exposition.families.iter().map(|(name, read)| (name.clone(), family(read))).collect()
}

/// The value of one series, with its labels' values in the order of the labels' names.
pub fn value(families: &BTreeMap<String, Family>, name: &str, labels: &[&str]) -> f64 {
    let labels: Vec<_> = labels.iter().map(|&label| label.to_owned()).collect();
    let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
    *family.series.get(&labels).unwrap_or_else(|| panic!("{labels:?}, not in {family:?}"))
}

pub async fn ask(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.addresses.admin).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

pub async fn scrape(server: &TestServer) -> BTreeMap<String, Family> {
    let answer = ask(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    parsed(text)
}

pub fn shown(hub: &Hub) -> BTreeMap<String, Family> {
    let mut exposition = Exposition::default();
    hub.expose(&mut exposition);
    parsed(&exposition.text())
}
