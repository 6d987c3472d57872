//! WebSocket frames (RFC 6455, section 5) of a client that sends whole messages and takes whole messages.

/// What a frame is.
pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A frame longer than this is nothing that a signaling server says.
const LONGEST: usize = 16 << 20;

/// Writes a frame made of `parts` over `frame`, masked as a client must.
pub(super) fn write(frame: &mut Vec<u8>, opcode: u8, parts: &[&[u8]], mask: u32) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    frame.clear();
    frame.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => frame.push(0x80 | short),
        (_, Ok(medium)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask.to_le_bytes());
    let begin = frame.len();
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    apply_mask(&mut frame[begin..], mask);
}

fn apply_mask(bytes: &mut [u8], mask: u32) {
    let wide = u64::from(mask) | u64::from(mask) << 32;
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_le_bytes(*chunk) ^ wide).to_le_bytes();
    }
    rest.iter_mut().zip(wide.to_le_bytes()).for_each(|(byte, mask)| *byte ^= mask);
}

/// What the bytes received so far begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// Not yet a whole frame.
    Part,
    /// A frame, and how many bytes it takes.
    Whole { opcode: u8, payload: &'a [u8], taken: usize },
    /// What no signaling server sends: fragments, masked or endless frames.
    Strange,
}

pub(super) fn read(bytes: &[u8]) -> Read<'_> {
    let Some((start, length)) = extent(bytes) else { return Read::Part };
    if bytes[0] & 0xf0 != 0x80 || bytes[1] & 0x80 != 0 || length > LONGEST {
        return Read::Strange;
    }
    let taken = start + length;
    match bytes.get(start..taken) {
        Some(payload) => Read::Whole { opcode: bytes[0] & 0x0f, payload, taken },
        None => Read::Part,
    }
}

/// Where the payload begins, and its length.
fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? & 0x7f {
        126 => {
            let length = bytes.get(2..4)?.first_chunk()?;
            Some((4, usize::from(u16::from_be_bytes(*length))))
        }
        127 => {
            let length = bytes.get(2..10)?.first_chunk()?;
            Some((10, usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX)))
        }
        short => Some((2, usize::from(short))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_once_unmasked() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut frame = Vec::new();
            write(&mut frame, TEXT, &[&payload[..length / 2], &payload[length / 2..]], 0x1234_5678);
            assert_eq!(read(&frame), Read::Strange, "masked");
            let header = frame.len() - length - 4;
            apply_mask(&mut frame[header + 4..], 0x1234_5678);
            frame[1] &= 0x7f;
            frame.drain(header..header + 4);
            for cut in [0, 1, frame.len() - 1] {
                assert_eq!(read(&frame[..cut]), Read::Part);
            }
            let taken = frame.len();
            assert_eq!(read(&frame), Read::Whole { opcode: TEXT, payload: &payload, taken });
        }
    }
}
