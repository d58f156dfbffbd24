//! Fuzz target: the packets of a client, of both versions, whole and in pieces.

use bytes::Bytes;
use bytestring::ByteString;

use rmqtt_codec::types::QoS;

use super::*;
use crate::{
    fuzz::{Script, mutated, scripts},
    mqtt::message::{Delivery, Message},
};

/// What clients send, packet by packet: the first byte and what follows the length.
const SESSIONS: [&[(u8, &[u8])]; 3] = [
    &[
        (0x10, b"\0\x04MQTT\x04\xee\0\x3c\0\x02d1\0\x04will\0\x03bye\0\x04user\0\x04pass"),
        (0x82, b"\0\x01\0\x03a/+\x01\0\x04b/#/\0"),
        (0x33, b"\0\x03a/b\0\x07payload"),
        (0x30, b"\0\x01x"),
        (0x40, b"\0\x07"),
        (0xa2, b"\0\x02\0\x03a/+"),
        (0xc0, b""),
        (0xe0, b""),
    ],
    &[
        // Session expiry, receive maximum, packet size, user property; a will with a delay.
        (
            0x10,
            b"\0\x04MQTT\x05\x2e\0\x3c\x14\x11\0\0\x0e\x10\x21\0\x0a\x27\0\0\x10\0\x26\0\x01k\0\x01v\0\x02d1\
              \x05\x18\0\0\0\x05\0\x04will\0\x03bye",
        ),
        (0x82, b"\0\x01\0\0\x0d$share/g/a/+/\x2d\0\x01b\x05"),
        (0x82, b"\0\x02\x02\x0b\x07\0\x01#\x01"),
        // Payload format, message expiry, topic alias, response topic, correlation data, content type.
        (
            0x32,
            b"\0\x03a/b\0\x07\x21\x01\x01\x02\0\0\0\x1e\x23\0\x01\x08\0\x01r\x09\0\x02cc\x03\0\x04text\x26\0\x01k\0\x01vpayload",
        ),
        (0x30, b"\0\0\x03\x23\0\x01again"),
        (0x40, b"\0\x07\x10\0"),
        (0xa2, b"\0\x03\0\0\x01b"),
        (0xe0, b"\x04\x05\x11\0\0\0\x3c"),
    ],
    &[(0x10, b"\0\x06MQIsdp\x03\x02\0\x0a\0\x01x"), (0xc0, b"")],
];
const TOKENS: [&str; 6] =
    ["\0\0", "\u{7f}\u{7f}", "\0\x04MQTT", "\0\x06MQIsdp", "$share/", "\x26\0\x01k\0\x01v"];

/// A packet with its length, which is right.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn stream(session: &[(u8, &[u8])]) -> Vec<u8> {
    session.iter().flat_map(|(kind, body)| framed(*kind, body)).collect()
}

/// What a connection makes of bytes that come in pieces of these sizes: its packets, and whether it ended in an error.
fn decoded(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<Incoming>, bool) {
    let (mut input, mut codec, mut packets) = (BytesMut::new(), None, Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
        rest = later;
        input.extend_from_slice(now);
        if codec.is_none() {
            match Codec::detect(&mut input) {
                Ok(detected) => codec = detected,
                Err(_) => return (packets, true),
            }
        }
        let Some(codec) = &mut codec else { continue };
        loop {
            match codec.decode(&mut input) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(_) => return (packets, true),
            }
        }
    }
    (packets, false)
}

/// Packets as text, without the times that they expire at.
fn told((packets, failed): (Vec<Incoming>, bool)) -> (String, bool) {
    let still = packets.into_iter().map(|mut packet| {
        if let Incoming::Publish(publish) = &mut packet {
            publish.message.expires = None;
        }
        packet
    });
    (format!("{:?}", still.collect::<Vec<_>>()), failed)
}

/// A message that came in goes out again in both versions, and is the same message there.
fn check_outgoing(message: &Message) {
    let delivery =
        Delivery { message: message.clone().into(), qos: QoS::AtLeastOnce, retain: message.retain };
    for mut codec in [Codec::V3(CodecV3::new(PACKET_BYTES_MAX)), Codec::V5(CodecV5::new(PACKET_BYTES_MAX, 0))]
    {
        let mut output = BytesMut::new();
        let packet =
            Outgoing::Publish { packet_id: 7.try_into().ok(), again: false, delivery: delivery.clone() };
        codec.encode(packet, &mut output).unwrap();
        match codec.decode(&mut output) {
            Ok(Some(Incoming::Publish(sent))) => {
                assert_eq!((&sent.message.topic, &sent.message.payload), (&message.topic, &message.payload));
            }
            // A topic that only an alias stands for has no name of its own yet.
            other => assert!(message.topic.is_empty(), "{message:?}: {other:?}"),
        }
    }
}

#[test]
fn the_seeds_are_sessions() {
    for session in SESSIONS {
        let (packets, failed) = decoded(&stream(session), || usize::MAX);
        assert!(!failed && packets.len() == session.len(), "{session:?}: {packets:?}");
        assert!(!packets.iter().any(|p| matches!(p, Incoming::Unexpected)), "{packets:?}");
    }
}

#[test]
fn bytes_in_pieces_are_what_they_are_whole() {
    let whole: Vec<Vec<u8>> = SESSIONS.into_iter().map(stream).collect();
    scripts!(|script: &[u8]| {
        // Most change one packet, which is framed again with its length; the others change all of a session's bytes.
        let mut script = Script::new(script);
        let (session, seed, size) = (script.below(SESSIONS.len()), script.below(16), 1 + script.below(20));
        let bytes = if let Some((kind, body)) = SESSIONS[session].get(seed) {
            let body = mutated(&[body], &TOKENS, &[&[0], script.rest()].concat());
            let mut packets = SESSIONS[session].to_vec();
            packets[seed] = (*kind, &body);
            stream(&packets)
        } else {
            let seeds: Vec<&[u8]> = whole.iter().map(Vec::as_slice).collect();
            mutated(&seeds, &TOKENS, script.rest())
        };
        let one = decoded(&bytes, || usize::MAX);
        for packet in &one.0 {
            if let Incoming::Publish(publish) = packet {
                check_outgoing(&publish.message);
            }
        }
        let one = told(one);
        assert_eq!(told(decoded(&bytes, || size)), one);
        assert_eq!(told(decoded(&bytes, || 1)), one);
    });
}

#[test]
fn a_packet_that_claims_more_than_the_limit_is_refused_at_its_head() {
    let connected = stream(&SESSIONS[0][..1]);
    for length in [&b"\xff\xff\xff\x7f"[..], b"\xff\xff\x7f"] {
        let bytes = [&connected, &b"\x30"[..], length].concat();
        assert!(decoded(&bytes, || 1).1);
        // And already in CONNECT, once its version can be told.
        let bytes = [b"\x10", length, b"\0\x04MQTT\x04"].concat();
        assert!(decoded(&bytes, || 1).1);
    }
    let message = Message::new(ByteString::from_static("a"), Bytes::from(vec![0; 200_000]), QoS::AtMostOnce);
    let delivery = Delivery { message: message.into(), qos: QoS::AtMostOnce, retain: false };
    let packet = Outgoing::Publish { packet_id: None, again: false, delivery };
    let mut codec = Codec::V5(CodecV5::new(PACKET_BYTES_MAX, 0));
    codec.set_client_packet_max(1_000);
    assert!(codec.encode(packet, &mut BytesMut::new()).is_err());
}
