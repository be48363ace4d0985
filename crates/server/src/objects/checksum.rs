//! What bytes are checked with: S3's algorithms, of whole objects and of objects in parts.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use serde::{Deserialize, Serialize};

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32.
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32C.
    #[serde(rename = "CRC32C")]
    Crc32c,
    /// CRC-64/NVME, which S3 uses if none is asked for.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Returns AWS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Finds the algorithm of a name, also as it is written in a header.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Tells whether the checksum of an object in parts is made of those of its parts, if nothing else is asked for.
    pub fn is_composite_by_default(self) -> bool {
        match self {
            Self::Crc64Nvme => false,
            Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256 => true,
        }
    }

    /// Returns the form of the checksum that can be made of those of parts without reading them; `None` if it cannot.
    fn combinable(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Self::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Self::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Self::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// Tells whether objects in parts can have a checksum of the whole object.
    pub fn can_be_of_the_whole(self) -> bool {
        self.combinable().is_some()
    }
}

/// What bytes can be checked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// The value, in base64; of a composite one with the number of parts behind it.
    pub value: String,
    /// Whether it is made of the checksums of the parts.
    #[serde(default)]
    pub composite: bool,
}

impl Checksum {
    /// Makes the checksum of an object of those of its parts, of which these are the values and lengths. `None` if it cannot
    /// be made of them.
    pub fn of_parts(algorithm: Algorithm, composite: bool, parts: &[(&str, u64)]) -> Option<Self> {
        let values = parts.iter().map(|(value, _)| BASE64_STANDARD.decode(value).ok());
        let values: Vec<Vec<u8>> = values.collect::<Option<_>>()?;
        if composite {
            let mut hasher = Hasher::new(algorithm);
            values.iter().for_each(|value| hasher.update(value));
            let value = format!("{}-{}", hasher.finish().value, parts.len());
            return Some(Self { algorithm, value, composite });
        }
        let (crc, width) = algorithm.combinable()?;
        let number = |value: &Vec<u8>| value.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let mut numbers = values.iter().map(number).zip(parts.iter().map(|(_, size)| *size));
        let (first, _) = numbers.next()?;
        let combined = numbers.fold(first, |whole, (part, size)| crc_fast::checksum_combine(crc, whole, part, size));
        let value = BASE64_STANDARD.encode(&combined.to_be_bytes()[8 - width..]);
        Some(Self { algorithm, value, composite })
    }
}

/// Makes a checksum of bytes as they come.
pub enum Hasher {
    /// CRC-32.
    Crc32(Crc32),
    /// CRC-32C.
    Crc32c(Crc32c),
    /// CRC-64/NVME.
    Crc64Nvme(Crc64Nvme),
    /// SHA-1.
    Sha1(Sha1),
    /// SHA-256.
    Sha256(Sha256),
}

impl Hasher {
    /// Begins.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(hasher) => hasher.update(bytes),
            Self::Crc64Nvme(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the checksum of all of them.
    pub fn finish(self) -> Checksum {
        let (algorithm, value) = match self {
            Self::Crc32(hasher) => (Algorithm::Crc32, BASE64_STANDARD.encode(hasher.finalize())),
            Self::Crc32c(hasher) => (Algorithm::Crc32c, BASE64_STANDARD.encode(hasher.finalize())),
            Self::Crc64Nvme(hasher) => (Algorithm::Crc64Nvme, BASE64_STANDARD.encode(hasher.finalize())),
            Self::Sha1(hasher) => (Algorithm::Sha1, BASE64_STANDARD.encode(hasher.finalize())),
            Self::Sha256(hasher) => (Algorithm::Sha256, BASE64_STANDARD.encode(hasher.finalize())),
        };
        Checksum { algorithm, value, composite: false }
    }
}

/// Returns the `ETag` of an object in parts: the MD5 of their MD5s, which are in hexadecimal digits, and how many there are.
pub fn etag_of_parts<'p>(parts: impl ExactSizeIterator<Item = &'p str>) -> String {
    let count = parts.len();
    let mut md5 = Md5::new();
    parts.for_each(|part| md5.update(&from_hex(part)));
    format!("{}-{count}", hex(&md5.finalize()))
}

/// Writes bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish().value
    }

    #[test]
    fn checksums_are_those_of_the_standards() {
        // The check values of the catalogue of CRCs and of FIPS 180-4, for `123456789`.
        let check = |algorithm, expected: &str| {
            let value = BASE64_STANDARD.decode(of(algorithm, b"123456789")).unwrap();
            assert_eq!(hex(&value), expected, "{algorithm:?}");
        };
        check(Algorithm::Crc32, "cbf43926");
        check(Algorithm::Crc32c, "e3069283");
        check(Algorithm::Crc64Nvme, "ae8b14860a799888");
        check(Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        check(Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    }

    #[test]
    fn checksums_of_the_whole_are_made_of_those_of_parts() {
        let (first, second, third) = (b"abc".as_slice(), b"".as_slice(), b"defgh".as_slice());
        for algorithm in Algorithm::ALL {
            let values = [first, second, third].map(|part| (of(algorithm, part), part.len() as u64));
            let parts: Vec<_> = values.iter().map(|(value, size)| (value.as_str(), *size)).collect();
            let whole = Checksum::of_parts(algorithm, false, &parts).map(|checksum| checksum.value);
            let expected = algorithm.can_be_of_the_whole().then(|| of(algorithm, b"abcdefgh"));
            assert_eq!(whole, expected, "{algorithm:?}");
            let composite = Checksum::of_parts(algorithm, true, &parts).unwrap();
            let all: Vec<u8> = parts.iter().flat_map(|(value, _)| BASE64_STANDARD.decode(value).unwrap()).collect();
            assert_eq!(composite.value, format!("{}-3", of(algorithm, &all)));
        }
    }

    #[test]
    fn etags_of_parts_are_the_digest_of_their_digests() {
        let empty = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(etag_of_parts([empty].into_iter()), "59adb24ef3cdbe0297f05b395827453f-1");
    }
}
