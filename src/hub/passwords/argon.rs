//! Argon2id (RFC 9106) with the parameters that OWASP's password storage cheat sheet asks for at least: 19 MiB, two
//! passes, one lane; a salt of 16 bytes and a hash of 32.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use tokio_rustls::rustls::crypto::ring;

use crate::{password::Password, room::PasswordHash};

/// Memory to hash in, taken when it is first needed and used again.
#[derive(Default)]
pub(super) struct Hasher(Vec<Block>);

impl Hasher {
    pub(super) fn hash(&mut self, password: &Password) -> PasswordHash {
        let mut salt = [0; Salt::RECOMMENDED_LENGTH];
        let random = ring::default_provider().secure_random;
        random.fill(&mut salt).expect("the system has a source of randomness");
        let params = Params::DEFAULT;
        let hash = self.output(password, &salt, &params).expect("proper parameters");
        let phc = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(params).expect("three short numbers"),
            salt: Some(Salt::new(&salt).expect("of the recommended length")),
            hash: Some(hash),
        };
        PasswordHash::new(&phc.to_string())
    }

    /// Whether the hash is of this password. Compares in constant time. None is of a hash that is not of Argon2id.
    pub(super) fn verify(&mut self, password: &Password, hash: &PasswordHash) -> bool {
        self.matches(password, hash.as_str()).unwrap_or(false)
    }

    fn matches(&mut self, password: &Password, phc: &str) -> Option<bool> {
        let kept = phc::PasswordHash::new(phc).ok()?;
        let is_ours = kept.algorithm == Algorithm::Argon2id.ident()
            && kept.version == Some(Version::V0x13.into());
        let params = Params::try_from(&kept).ok().filter(|_| is_ours)?;
        let output = self.output(password, &kept.salt?, &params)?;
        Some(output == kept.hash?)
    }

    fn output(&mut self, password: &Password, salt: &[u8], params: &Params) -> Option<Output> {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let password = password.as_bytes();
        argon2.hash_password_into_with_memory(password, salt, &mut output, &mut self.0).ok()?;
        Output::new(&output).ok()
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    fn password(text: &str) -> Password {
        text.parse().unwrap()
    }

    #[test]
    fn a_hash_is_of_its_password_only_and_salted_and_others_can_read_it() {
        let mut hasher = Hasher::default();
        let hash = hasher.hash(&password("correct horse"));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(hasher.verify(&password("correct horse"), &hash));
        assert!(!hasher.verify(&password("correct  horse"), &hash));
        assert_ne!(hasher.hash(&password("correct horse")), hash, "another salt");
        assert_eq!(Argon2::default().verify_password(b"correct horse", hash.as_str()), Ok(()));
        assert!(hasher.verify(&password("correct horse"), &hash), "the memory is used again");
    }

    /// One by the reference implementation (its test.c), and what is no hash of ours.
    #[test]
    fn parameters_are_those_of_the_hash_and_other_hashes_are_of_no_password() {
        let mut hasher = Hasher::default();
        let good =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(hasher.verify(&password("password"), &PasswordHash::new(good)));
        for other in [
            "",
            "password",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            &good.replace("argon2id", "argon2d"),
            &good.replace("v=19", "v=16"),
            &good.replace("m=256", "m=4"),
        ] {
            assert!(!hasher.verify(&password("password"), &PasswordHash::new(other)), "{other}");
        }
    }
}
