//! Names that are made for resources: `<stack>-<logical id>-<random>`, as long as the type allows.

use crate::limits::GENERATED_NAME_RANDOM_CHARACTERS;

/// Makes a name of at most `characters_max` characters. What is too long is cut, the longer part first.
pub fn generated(stack: &str, logical_id: &str, random: &str, characters_max: usize) -> String {
    let room = characters_max.saturating_sub(random.len() + 2);
    let half = room / 2;
    let (stack_room, logical_room) = match (stack.len() <= half, logical_id.len() <= half) {
        (true, _) => (stack.len(), room - stack.len()),
        (false, true) => (room - logical_id.len(), logical_id.len()),
        (false, false) => (half, room - half),
    };
    let cut = |text: &str, room: usize| text.chars().take(room).collect::<String>();
    // A name that ends in a hyphen would have two of them.
    let stack = cut(stack, stack_room);
    format!("{}-{}-{random}", stack.trim_end_matches('-'), cut(logical_id, logical_room))
}

/// Draws the random part of a name.
pub fn random() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = [0; GENERATED_NAME_RANDOM_CHARACTERS];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stack: &str, logical_id: &str, characters_max: usize, expected: &str) {
        let name = generated(stack, logical_id, "RANDOM", characters_max);
        assert_eq!(name, expected);
        assert!(name.len() <= characters_max);
    }

    #[test]
    fn names_fit() {
        check("stack", "Function", 64, "stack-Function-RANDOM");
        check("stack", "Function", 21, "stack-Function-RANDOM");
        check("stack", "Function", 20, "stack-Functio-RANDOM");
        check("longer-stack", "Fn", 20, "longer-sta-Fn-RANDOM");
        check("longer-stack", "LongerFunction", 20, "longer-Longer-RANDOM");
        check("longe--stack", "LongerFunction", 20, "longe-Longer-RANDOM");
    }

    #[test]
    fn random_parts_differ() {
        assert_ne!(random(), random());
        assert_eq!(random().len(), GENERATED_NAME_RANDOM_CHARACTERS);
    }
}
