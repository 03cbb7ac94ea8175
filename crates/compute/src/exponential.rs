//! The exponential function in `f32`, made of operations that vectorise.

use crate::kernels::multiply_add;

/// Adding it to a small number rounds that to an integer, which the low bits then hold.
pub(crate) const TO_INTEGER: f32 = 12_582_912.0;

/// `e^x`, within 2e-7 of its value relative to it; 0 below -104, infinite above 89, NaN for NaN.
///
/// Cody and Waite's reduction to `|r| ≤ ln 2 / 2`, then the series of `e^r` to the seventh power.
/// `FUSED` says whether `mul_add` is one instruction.
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_145_75;
    const LN2_LOW: f32 = 1.428_606_8e-6;
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, TO_INTEGER);
    let whole = shifted - TO_INTEGER;
    let r = multiply_add::<FUSED>(whole, -LN2_HIGH, x);
    let r = multiply_add::<FUSED>(whole, -LN2_LOW, r);
    let mut series = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = multiply_add::<FUSED>(series, r, factor);
    }
    let series = multiply_add::<FUSED>(series * r, r, r) + 1.0;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(TO_INTEGER.to_bits() as i32);
    // Two factors, so that neither leaves the range of f32 where the result does not.
    let half = exponent >> 1;
    series * power_of_two(half) * power_of_two(exponent.wrapping_sub(half))
}

/// `2^f` for `|f| ≤ 1/2` as a polynomial, highest power first: within 2e-8 relative to its value.
pub(crate) const EXP2_FULL: [f32; 7] = [
    0.000_153_458_1,
    0.001_339_993_2,
    0.009_618_489,
    0.055_503_286,
    0.240_226_46,
    std::f32::consts::LN_2,
    1.0,
];

/// The same within 4e-6: enough for a value that is rounded to bf16.
pub(crate) const EXP2_BF16: [f32; 5] = [0.009_570_1, 0.055_917_863, 0.240_247_44, 0.693_121_8, 1.0];

/// `2^f` for `0 ≤ f < 1`, within 3e-6: for the instruction that takes the integer below a number as the
/// exponent.
#[cfg(target_arch = "x86_64")]
pub(crate) const EXP2_BF16_ABOVE: [f32; 5] =
    [0.013_426_702, 0.052_242_447, 0.241_280_21, 0.693_044_84, 1.0];

/// Smallest exponent of which [`exp2_falling`] is not 0.
pub(crate) const SMALLEST: f32 = -125.0;

/// `2^x` for `x ≤ 0` by the polynomial of `2^f`; 0 below -125, NaN for NaN.
#[inline(always)]
pub(crate) fn exp2_falling<const FUSED: bool>(x: f32, polynomial: &[f32]) -> f32 {
    let held = if x < SMALLEST { SMALLEST } else { x };
    let shifted = held + TO_INTEGER;
    let fraction = held - (shifted - TO_INTEGER);
    let mut value = polynomial[0];
    for factor in &polynomial[1..] {
        value = multiply_add::<FUSED>(value, fraction, *factor);
    }
    let exponent = (shifted.to_bits() as i32).wrapping_sub(TO_INTEGER.to_bits() as i32);
    let value = value * power_of_two(exponent);
    if x < SMALLEST { 0.0 } else { value }
}

/// `e^x` for `x ≤ 0`, within 1e-6 of its value where that counts beside 1; 0 below -86, NaN for NaN.
#[inline(always)]
pub(crate) fn exp_falling<const FUSED: bool>(x: f32) -> f32 {
    exp2_falling::<FUSED>(x * std::f32::consts::LOG2_E, &EXP2_FULL)
}

#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelLevel;
    use crate::kernels::for_each_level;

    for_each_level! { fn exp_all(values: &mut [f32]) = exp_all_body }

    #[inline(always)]
    fn exp_all_body<const FUSED: bool>(values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = exp::<FUSED>(*value));
    }

    #[test]
    fn close_to_f64_at_every_level() {
        let inputs: Vec<f32> = (-870_000..=887_000).map(|i| i as f32 * 1e-4).collect();
        for level in KernelLevel::available() {
            let mut results = inputs.clone();
            exp_all(level, &mut results);
            let error = |(&x, &y): (&f32, &f32)| (f64::from(y) / f64::from(x).exp() - 1.0).abs();
            let worst = inputs.iter().zip(&results).map(error).fold(0.0, f64::max);
            assert!(worst < 2e-7, "{level}: {worst}");
        }
    }

    for_each_level! { fn falling_full(values: &mut [f32]) = falling_full_body }
    for_each_level! { fn falling_bf16(values: &mut [f32]) = falling_bf16_body }

    #[inline(always)]
    fn falling_full_body<const FUSED: bool>(values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = exp2_falling::<FUSED>(*value, &EXP2_FULL));
    }

    #[inline(always)]
    fn falling_bf16_body<const FUSED: bool>(values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = exp2_falling::<FUSED>(*value, &EXP2_BF16));
    }

    #[test]
    fn falling_powers_of_two_are_close_to_f64_and_end_in_zero() {
        let inputs: Vec<f32> = (0..=1_250_000).map(|i| i as f32 * -1e-4).collect();
        for level in KernelLevel::available() {
            for (bf16, allowed) in [(false, 1.6e-7), (true, 4e-6)] {
                let run = if bf16 { falling_bf16 } else { falling_full };
                let mut results = inputs.clone();
                run(level, &mut results);
                let error =
                    |(&x, &y): (&f32, &f32)| (f64::from(y) / f64::from(x).exp2() - 1.0).abs();
                let worst = inputs.iter().zip(&results).map(error).fold(0.0, f64::max);
                assert!(worst < allowed, "{level} {bf16}: {worst}");
                let mut ends = [0.0, -0.0, -126.0, -1e30, f32::NEG_INFINITY, f32::NAN];
                run(level, &mut ends);
                assert_eq!(ends[..5], [1.0, 1.0, 0.0, 0.0, 0.0], "{level}");
                assert!(ends[5].is_nan());
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        for level in KernelLevel::available() {
            let mut values =
                [f32::NEG_INFINITY, -1000.0, 0.0, -0.0, 1000.0, f32::INFINITY, f32::NAN];
            exp_all(level, &mut values);
            assert_eq!(values[..6], [0.0, 0.0, 1.0, 1.0, f32::INFINITY, f32::INFINITY]);
            assert!(values[6].is_nan());
        }
    }
}
