//! A short run of every fuzz target: its corpus, the corpus damaged, noise.

use std::fs;
use std::path::Path;

const ROUNDS: u32 = 2_000;

/// xorshift32: the same inputs in every run.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 9) as u8).collect()
    }
}

#[test]
fn every_target_survives_its_corpus_and_noise() {
    for (name, target) in ferrows_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let corpus: Vec<Vec<u8>> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        assert!(!corpus.is_empty(), "{name} has no corpus");
        let mut noise = Noise(0x9e37_79b9);
        for seed in &corpus {
            target(seed);
            for _ in 0..ROUNDS / 100 {
                let mut damaged = seed.clone();
                if let Some(byte) = damaged.get_mut(noise.next() as usize % seed.len().max(1)) {
                    *byte = noise.next() as u8;
                }
                damaged.truncate(noise.next() as usize % (seed.len() * 2 + 1));
                target(&damaged);
            }
        }
        for round in 0..ROUNDS {
            let length = noise.next() as usize % (4 + round as usize / 4);
            target(&noise.bytes(length));
        }
    }
}
