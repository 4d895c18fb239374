//! What the detector finds in simulated days, what it lets pass, and what strangers can do to it.

#[path = "anomalies/days.rs"]
mod days;
#[path = "anomalies/strangers.rs"]
mod strangers;
#[path = "anomalies/telling.rs"]
mod telling;
#[path = "anomalies/traffic.rs"]
mod traffic;

use std::{collections::HashMap, fmt::Write};

use days::{Injection, Simulation, injections};
use traffic::{DAY, HOUR, Random, usual_day};

/// What became of one injection, over all seeds.
#[derive(Default)]
struct Row {
    injected: usize,
    delays: Vec<f64>,
    raised: usize,
}

impl Row {
    fn detected(&self) -> usize {
        self.delays.len()
    }
}

#[test]
fn of_what_is_wrong_in_simulated_days_all_that_is_strong_enough_is_found_once_and_nothing_else() {
    const SEEDS: u64 = 20;
    let mut rows: Vec<(Injection, Row)> = Vec::new();
    let mut false_alarms = Vec::new();
    for seed in 1..=SEEDS {
        let mut random = Random::new(seed);
        let injected = injections(&mut random);
        let mut simulation = Simulation::new();
        for day in 0..11 {
            let mut requests = usual_day(day, 0.0, &mut random);
            let today = injected.iter().filter(|injection| (injection.from / DAY) as u64 == day);
            today.for_each(|injection| injection.apply(&mut random, &mut requests));
            requests.sort_by(|a, b| a.at.total_cmp(&b.at));
            simulation.play(&requests, (day + 1) as f64 * DAY);
        }
        if rows.is_empty() {
            rows.extend(injected.iter().map(|injection| (*injection, Row::default())));
        }
        let mut found = vec![None; injected.len()];
        for told in simulation.told.iter().filter(|told| told.anomaly.ended().is_none()) {
            let place = injected.iter().position(|injection| injection.is_meant_by(told));
            match place {
                Some(place) => {
                    found[place].get_or_insert(told.at - injected[place].from);
                    rows[place].1.raised += usize::from(told.anomaly.source().is_none());
                }
                None => false_alarms.push(format!("seed {seed}, day {:.2}: {}", told.at / DAY, told.anomaly)),
            }
        }
        for ((_, row), delay) in rows.iter_mut().zip(found) {
            row.injected += 1;
            row.delays.extend(delay);
        }
        assert_each_begins_and_ends_once(&simulation);
    }
    let table = table(&mut rows);
    println!("{table}\nfalse alarms: {}", false_alarms.len());
    assert!(false_alarms.is_empty(), "{false_alarms:#?}");
    for (injection, row) in rows.iter().filter(|(injection, _)| injection.is_found) {
        assert_eq!(row.detected(), row.injected, "{}: {}\n{table}", injection.kind, injection.name);
        assert_eq!(row.raised, row.injected, "{}: {}\n{table}", injection.kind, injection.name);
    }
}

fn table(rows: &mut [(Injection, Row)]) -> String {
    let mut table = String::from("| kind | episode | injected | detected | missed | raised | median delay |\n");
    for (injection, row) in rows {
        row.delays.sort_by(f64::total_cmp);
        let delay = row.delays.get(row.delays.len() / 2).map_or("".into(), |delay| format!("{delay:.0} s"));
        let (kind, name, missed) = (injection.kind, injection.name, row.injected - row.detected());
        writeln!(
            table,
            "| {kind} | {name} | {} | {} | {missed} | {} | {delay} |",
            row.injected,
            row.detected(),
            row.raised
        )
        .unwrap();
    }
    table
}

fn assert_each_begins_and_ends_once(simulation: &Simulation) {
    let mut open = HashMap::new();
    for told in &simulation.told {
        let anomaly = &told.anomaly;
        match anomaly.ended() {
            None => assert!(open.insert(anomaly.id(), anomaly).is_none(), "told twice: {anomaly}"),
            Some(ended) => {
                let began = open.remove(&anomaly.id()).unwrap_or_else(|| panic!("never began: {anomaly}"));
                assert_eq!((began.kind(), began.provider()), (anomaly.kind(), anomaly.provider()));
                assert_eq!((began.source(), began.started()), (anomaly.source(), anomaly.started()));
                assert!(ended >= anomaly.started(), "{anomaly}");
            }
        }
    }
    assert!(open.is_empty(), "never over: {open:#?}");
}

#[test]
fn three_weeks_in_which_nothing_is_wrong_raise_nothing_whatever_the_clocks_do_in_spring() {
    // With weekends, nights, a batch each night, and a provider that sends six times a day.
    for seed in 100..106 {
        let mut random = Random::new(seed);
        let mut simulation = Simulation::new();
        for day in 0..21 {
            let forward = if day >= 13 { HOUR } else { 0.0 };
            simulation.play(&usual_day(day, forward, &mut random), (day + 1) as f64 * DAY);
        }
        let told: Vec<_> =
            simulation.told.iter().map(|told| format!("{:.2}: {}", told.at / DAY, told.anomaly)).collect();
        assert!(told.is_empty(), "seed {seed}: {told:#?}");
    }
}
