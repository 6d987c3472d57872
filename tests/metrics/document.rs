//! `docs/metrics.md` has what is shown, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    fleet,
    redis_server::Shared,
    scrape::{scrape, shown},
    support::TestServer,
};

const DOCUMENT: &str = include_str!("../../docs/metrics.md");

#[tokio::test]
async fn every_metric_is_documented_as_it_is() {
    let server = TestServer::start();
    let mut families = scrape(&server).await;
    assert!(!families.keys().any(|name| name.starts_with("signalpost_fleet_")), "it stands alone");
    families.extend(shown(&fleet::hub(&Shared::standalone()).await));
    let rows = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `signalpost_") || line.starts_with("| `process_"));
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, unit, meaning] = cells[..] else { panic!("{row}") };
        let name = name.trim_matches('`');
        assert!(documented.insert(name), "{name} is there twice");
        let family = families.get(name).unwrap_or_else(|| panic!("{name} is not exposed"));
        assert_eq!(family.kind, kind, "{name}");
        let named: BTreeMap<_, BTreeSet<_>> = labels
            .split(';')
            .filter(|label| !label.is_empty())
            .map(|label| {
                let mut words = label.split('`').skip(1).step_by(2).map(str::to_owned);
                (words.next().unwrap(), words.collect())
            })
            .collect();
        if name == "signalpost_build_info" {
            assert!(family.labels.keys().eq(named.keys()), "{name}");
        } else {
            assert_eq!(family.labels, named, "{name}");
        }
        for (suffix, stated) in [("_bytes", "bytes"), ("_seconds", "seconds")] {
            let has_unit = name.trim_end_matches("_total").ends_with(suffix);
            assert_eq!(has_unit, unit == stated, "{name}: {unit}");
        }
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert!(!meaning.is_empty(), "{name}");
    }
    let exposed: BTreeSet<_> = families.keys().map(String::as_str).collect();
    assert_eq!(exposed, documented);
}
