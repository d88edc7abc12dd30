//! Whether this processor has what the program was built for.
//!
//! What the system says of the processor enters, a complaint leaves. Without it an older processor would end the program in
//! the middle of anything, with no other word than "illegal instruction".

/// What the program uses without asking, by the names that Linux gives; those that it was built with.
const USED: [(&str, bool); 5] = [
    ("avx2", cfg!(target_feature = "avx2")),
    ("bmi1", cfg!(target_feature = "bmi1")),
    ("bmi2", cfg!(target_feature = "bmi2")),
    ("fma", cfg!(target_feature = "fma")),
    ("movbe", cfg!(target_feature = "movbe")),
];

/// Why the program cannot run here; `None` where it can, and where the system does not say what the processor has.
pub fn complaint() -> Option<String> {
    complaint_of(&std::fs::read_to_string("/proc/cpuinfo").ok()?, &USED)
}

fn complaint_of(said: &str, used: &[(&str, bool)]) -> Option<String> {
    let flags = said.lines().find_map(|line| line.strip_prefix("flags"))?;
    let has = |name: &str| flags.split_ascii_whitespace().any(|flag| flag == name);
    let missing: Vec<_> = used
        .iter()
        .filter(|(name, is_used)| *is_used && !has(name))
        .map(|(name, _)| *name)
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "this kpid was built for processors with {}, which this one has not: build it with RUSTFLAGS=\"-C target-cpu=x86-64\"",
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_processor_has_not_is_named_with_a_remedy() {
        let said = "processor\t: 0\nflags\t\t: fpu sse2 avx bmi1\nbugs\t\t:\n";
        let used = [("avx2", true), ("bmi1", true), ("bmi2", true), ("fma", false)];
        let words = complaint_of(said, &used).unwrap();
        assert!(
            words.contains("with avx2, bmi2, which") && words.contains("target-cpu=x86-64\""),
            "{words}"
        );
        assert_eq!(complaint_of(said, &[("avx", true), ("fma", false)]), None);
        assert_eq!(complaint_of("Features: neon", &used), None, "another kind of processor");
        assert_eq!(complaint(), None, "these tests run");
    }
}
