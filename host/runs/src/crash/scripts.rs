//! Scripts that are made of a number: calls in a row and side by side, errors, waits, large results, output.

/// Numbers that are spread, the same for a seed.
struct Spread(u64);

impl Spread {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A script that comes to the same whenever its calls come to the same.
pub(super) fn script(seed: u64) -> String {
    let mut spread = Spread(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut source = String::from("local sum = 0\n");
    for step in 0..3 + spread.below(5) {
        source += &statement(&mut spread, step);
    }
    source + "print('sum', sum) return sum"
}

fn call(spread: &mut Spread, step: u64) -> String {
    let name = ["once", "again", "none"][spread.below(3) as usize];
    format!("actions.t.{name}({{ n = {step} }}).n")
}

fn statement(spread: &mut Spread, step: u64) -> String {
    let (one, two) = (call(spread, step), call(spread, step + 10));
    match spread.below(10) {
        0..=2 => format!("sum = sum + {one} print('call', sum)\n"),
        3 => format!(
            "do local a, b = parallel(function() return {one} end, function() return {two} end) sum = sum + a + b end\n"
        ),
        4 => format!(
            "sum = sum + select(2, race(function() sleep(60) end, function() return {one} end))\n"
        ),
        5 => format!(
            "print(pcall(function() local c <close> = setmetatable({{}}, {{ __close = function() print('closed') end }}) \
             sum = sum + {one} error('broken', 0) end))\n"
        ),
        6 => format!(
            "sum = sum + #actions.t.once({{ text = ('x'):rep({}) }}).text print(sum)\n",
            1000 + spread.below(100_000)
        ),
        8 => format!(
            "print(race(function() return actions.t.slow({{ n = {step} }}).n end, function() sleep(0.002) return {step} end)) \
             sum = sum + {one}\n"
        ),
        7 => "sleep(0.001) status('slept') print(now() > 0, math.random(1, 5) > 0)\n".to_owned(),
        _ => format!(
            "print(#runs.start {{ script = 'return {step}', on_parent_end = 'abandon' }}) sum = sum + {one}\n"
        ),
    }
}

#[test]
fn a_seed_has_its_script_and_another_has_another() {
    assert_eq!(script(1), script(1));
    assert_ne!(script(1), script(2));
}
