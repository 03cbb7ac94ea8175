//! The instruction sets the kernels are written for.

use std::{fmt, str::FromStr, sync::OnceLock};

use serde::{Deserialize, Serialize};

/// The instructions the kernels use. Results are the same bits on every machine that runs the same
/// level, whatever the number of threads; between levels they differ by rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelLevel {
    /// The matrix unit of server processors (AMX with bf16 tiles), with [`Self::Avx512Bf16`] for
    /// the rest. Denormal numbers as there.
    AmxBf16,
    /// AVX-512 with the bf16 inner product (`vdpbf16ps`). In [`Precision::Bf16`] products read
    /// and give denormal numbers as zero, as the instruction does.
    ///
    /// [`Precision::Bf16`]: crate::Precision::Bf16
    Avx512Bf16,
    /// AVX-512 (F, BW, DQ, VL).
    Avx512,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// NEON with the bf16 inner product (`bfdot`). In [`Precision::Bf16`] products read and give
    /// denormal numbers as zero and sums are rounded to odd, as the instruction does.
    ///
    /// [`Precision::Bf16`]: crate::Precision::Bf16
    NeonBf16,
    /// NEON, which every 64-bit ARM processor has.
    Neon,
    /// Plain Rust, any processor.
    Portable,
}

/// Why a level cannot be forced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelError {
    /// The processor lacks the level's instructions.
    Unavailable {
        /// The level asked for.
        asked: KernelLevel,
        /// The best level this processor has.
        best: KernelLevel,
    },
    /// Work has begun at another level.
    InUse {
        /// The level asked for.
        asked: KernelLevel,
        /// The level in use.
        active: KernelLevel,
    },
    /// No level has this name.
    Unknown(String),
}

static ACTIVE: OnceLock<KernelLevel> = OnceLock::new();

impl KernelLevel {
    /// Every level, best first.
    pub const ALL: [Self; 7] = [
        Self::AmxBf16,
        Self::Avx512Bf16,
        Self::Avx512,
        Self::Avx2,
        Self::NeonBf16,
        Self::Neon,
        Self::Portable,
    ];

    /// The level's name, as `--kernel` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AmxBf16 => "amx-bf16",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::NeonBf16 => "neon-bf16",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Whether this processor has the level's instructions.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = || has!("avx2") && has!("fma");
        let avx512 = || {
            has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") && avx2()
        };
        let avx512_bf16 = || avx512() && has!("avx512bf16");
        match self {
            Self::AmxBf16 => avx512_bf16() && crate::kernels::amx::is_available(),
            Self::Avx512Bf16 => avx512_bf16(),
            Self::Avx512 => avx512(),
            Self::Avx2 => avx2(),
            Self::NeonBf16 | Self::Neon => false,
            Self::Portable => true,
        }
    }

    /// Whether this processor has the level's instructions.
    #[cfg(target_arch = "aarch64")]
    pub fn is_available(self) -> bool {
        use std::arch::is_aarch64_feature_detected as has;
        match self {
            Self::NeonBf16 => has!("neon") && has!("bf16"),
            Self::Neon => has!("neon"),
            Self::Portable => true,
            Self::AmxBf16 | Self::Avx512Bf16 | Self::Avx512 | Self::Avx2 => false,
        }
    }

    /// Whether this processor has the level's instructions.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn is_available(self) -> bool {
        self == Self::Portable
    }

    /// The levels this processor has, best first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.is_available())
    }

    /// The best level this processor has.
    pub fn detect() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// The level every operation of this process runs at: the forced one, or else the best.
    pub fn active() -> Self {
        *ACTIVE.get_or_init(Self::detect)
    }

    /// Whether there are AVX-512 instructions at this level.
    pub(crate) fn has_avx512(self) -> bool {
        matches!(self, Self::AmxBf16 | Self::Avx512Bf16 | Self::Avx512)
    }

    /// Whether there are NEON instructions at this level.
    #[cfg(any(test, target_arch = "aarch64"))]
    pub(crate) fn has_neon(self) -> bool {
        matches!(self, Self::NeonBf16 | Self::Neon)
    }

    /// Whether there are instructions that multiply pairs of bf16 numbers at this level.
    pub(crate) fn multiplies_bf16(self) -> bool {
        matches!(self, Self::AmxBf16 | Self::Avx512Bf16 | Self::NeonBf16)
    }

    /// Makes every operation of this process run at `level`. To be called before any work.
    ///
    /// # Errors
    /// When the processor lacks the level, or the process already works at another.
    pub fn force(level: Self) -> Result<(), KernelError> {
        if !level.is_available() {
            return Err(KernelError::Unavailable { asked: level, best: Self::detect() });
        }
        let active = *ACTIVE.get_or_init(|| level);
        if active == level { Ok(()) } else { Err(KernelError::InUse { asked: level, active }) }
    }
}

impl fmt::Display for KernelLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KernelLevel {
    type Err = KernelError;

    fn from_str(name: &str) -> Result<Self, KernelError> {
        let found = Self::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| KernelError::Unknown(name.to_owned()))
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { asked, best } => {
                write!(f, "this processor has no {asked} instructions; its best level is {best}")
            }
            Self::InUse { asked, active } => {
                write!(f, "the kernels already run at {active} and cannot change to {asked}")
            }
            Self::Unknown(name) => {
                let known = KernelLevel::ALL.map(KernelLevel::name).join(", ");
                write!(f, "no kernel level is called {name:?}; there are {known}")
            }
        }
    }
}

impl std::error::Error for KernelError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for level in KernelLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        let error = "sse".parse::<KernelLevel>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"sse\"") && text.contains("avx512-bf16"), "{text}");
    }

    #[test]
    fn the_best_level_is_available_and_cannot_change_under_way() {
        assert!(KernelLevel::detect().is_available());
        let active = KernelLevel::active();
        assert_eq!(KernelLevel::force(active), Ok(()));
        for level in KernelLevel::ALL.into_iter().filter(|level| *level != active) {
            assert!(KernelLevel::force(level).is_err());
        }
    }
}
