#![allow(warnings)]
use kael_host::app::Repo;
use kael_host::dispatch::*;
use kael_host::executor::*;
use kael_host::limits::Limits;
use kael_host::sandbox::*;
use kael_host::*;
use std::sync::Arc;
use std::time::*;
struct Echo;
impl Execute for Echo {
    fn execute<'a>(&'a self, i: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move { Ok(i.params.into_bytes()) })
    }
}
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let sandbox = Sandbox::new(4).unwrap();
    let limits = Limits::default();
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let f = tempfile::tempdir().unwrap();
    let k = if mode == "repo" { 50 } else { 1 };
    let mut init = String::from("local M = {}\n");
    for i in 1..=k {
        init += &format!("M.a{i} = require(\"a{i}\")\n");
        std::fs::write(f.path().join(format!("a{i}.lua")), "return define_action({ source = '.', executor = 'native', defaults = { step = '5m', list = { 1, 2 } } })").unwrap();
    }
    init += "return M\n";
    std::fs::write(f.path().join("init.lua"), init).unwrap();
    let repo = rt
        .block_on(Repo::load(
            &sandbox,
            f.path(),
            &limits,
            &Output::in_memory(),
        ))
        .unwrap();
    let d = Arc::new(Dispatcher::new(
        repo.catalog.clone(),
        Policy::default(),
        Arc::new(Echo),
    ));
    let run = |src: &str, args: Vec<String>| {
        let s = Script {
            name: "b".into(),
            source: src.into(),
            args,
            want_result: false,
        };
        let t = Instant::now();
        let r = rt.block_on(sandbox.run_script(
            Some(&repo.bundle),
            s,
            &limits,
            Output::in_memory(),
            d.clone(),
        ));
        assert!(matches!(r.ending, Ending::Done(_)), "{:?}", r.ending);
        t.elapsed()
    };
    let mut ts = vec![];
    match mode.as_str() {
        "gate" => {
            for _ in 0..n {
                let t = run(
                    "local p = { name = ('x'):rep(60), n = 12345, ok = true, list = { 1, 2, 3 } } local a = actions.a1 for _ = 1, 4000 do a(p) end",
                    vec![],
                );
                ts.push(t.as_secs_f64() * 1e6 / 4000.0);
            }
        }
        "big" => {
            for _ in 0..n {
                let mut doc = String::from("[");
                for i in 0..9000 {
                    if i > 0 {
                        doc.push(',');
                    }
                    doc += &format!(
                        "{{\"name\":\"service-{i}\",\"value\":{}.25,\"up\":true,\"tags\":[\"a\",\"b\\n\"],\"count\":{}}}",
                        i % 977,
                        i * 31
                    );
                }
                doc.push(']');
                let t = run(
                    "local p = { rows = json.decode(arg[1]) } local a = actions.a1 for _ = 1, 8 do a(p) end",
                    vec![doc.clone()],
                );
                let t0 = run(
                    "local p = { rows = json.decode(arg[1]) } local a = actions.a1",
                    vec![doc],
                );
                ts.push((t - t0).as_secs_f64() * 1e6 / 8.0);
            }
        }
        "repo" => {
            for _ in 0..n {
                ts.push(run("local x = 1", vec![]).as_secs_f64() * 1e6)
            }
        }
        _ => panic!(),
    }
    ts.sort_by(f64::total_cmp);
    println!("{mode}: min {:.2} median {:.2} µs", ts[0], ts[ts.len() / 2]);
}
