//! Bytes to packets and back, for the version that a connection began with.

#[cfg(test)]
mod fuzz;
mod v3;
mod v5;

use bytes::BytesMut;
use rmqtt_codec::{
    error::{DecodeError, EncodeError},
    v3::Codec as CodecV3,
    v5::Codec as CodecV5,
    version::{ProtocolVersion, VersionCodec},
};
use tokio_util::codec::{Decoder, Encoder};

use super::{
    limits::PACKET_BYTES_MAX,
    packet::{Incoming, Outgoing},
};

/// The codec of one connection.
#[derive(Debug)]
pub(super) enum Codec {
    V3(CodecV3),
    V5(CodecV5),
}

impl Codec {
    /// The codec for what `input` begins with; `None` until enough is there.
    pub(super) fn detect(input: &mut BytesMut) -> Result<Option<Self>, DecodeError> {
        Ok(VersionCodec.decode(input)?.map(|version| match version {
            ProtocolVersion::MQTT3 => Self::V3(CodecV3::new(PACKET_BYTES_MAX)),
            ProtocolVersion::MQTT5 => Self::V5(CodecV5::new(PACKET_BYTES_MAX, 0)),
        }))
    }

    pub(super) fn is_v5(&self) -> bool {
        matches!(self, Self::V5(_))
    }

    /// The next whole packet of `input`.
    pub(super) fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Incoming>, DecodeError> {
        match self {
            Self::V3(codec) => Ok(codec.decode(input)?.map(|(packet, _)| v3::incoming(packet))),
            Self::V5(codec) => Ok(codec.decode(input)?.map(|(packet, _)| v5::incoming(packet))),
        }
    }

    /// Appends a packet to `output`, or nothing if this version has no such packet.
    pub(super) fn encode(&mut self, packet: Outgoing, output: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::V3(codec) => match v3::outgoing(packet) {
                v3::Encoded::Packet(packet) => codec.encode(packet, output),
                v3::Encoded::Raw(bytes) => {
                    output.extend_from_slice(&bytes);
                    Ok(())
                }
                v3::Encoded::Nothing => Ok(()),
            },
            Self::V5(codec) => codec.encode(v5::outgoing(packet), output),
        }
    }

    /// The client takes no packet larger than this.
    pub(super) fn set_client_packet_max(&mut self, bytes: u32) {
        if let Self::V5(codec) = self {
            codec.set_max_outbound_size(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// For all bytes, whatever their packet type and length claim to be, decoding ends and does not panic.
        #[test]
        fn any_bytes_are_survived(
            kind in 0u8..=255,
            body in prop::collection::vec(any::<u8>(), 0..120),
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let length = u8::try_from(body.len()).unwrap();
            let bytes = [vec![kind, length], body, rest].concat();
            for mut codec in [Codec::V3(CodecV3::new(PACKET_BYTES_MAX)), Codec::V5(CodecV5::new(PACKET_BYTES_MAX, 0))] {
                let mut input = BytesMut::from(&bytes[..]);
                let _ = Codec::detect(&mut input);
                while let Ok(Some(_)) = codec.decode(&mut input) {}
            }
        }
    }
}
