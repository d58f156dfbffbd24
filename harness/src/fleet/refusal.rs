//! How an endpoint refused a connection, as far as the client's error says: the evidence by which a straggler's cause is told.

use std::io;

use rumqttc::{ConnectionError, StateError, mqttbytes};

/// What an endpoint answered instead of letting a device in. Both are absent where it did not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The return code of CONNACK.
    pub(crate) connack: Option<u8>,
    /// The number of the TLS alert.
    pub(crate) alert: Option<u8>,
    /// It ended the connection without either.
    pub(crate) is_cut_off: bool,
}

/// How a connection ends that the other side has ended: with goodbye, without, or with what was sent to it unread.
const CUT_OFF: [io::ErrorKind; 4] = [
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::BrokenPipe,
];

impl Refusal {
    pub(crate) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => {
                Self { connack: Some(*code as u8), ..Self::default() }
            }
            // AWS's 7 is no code of MQTT 3.1.1, so the client calls it malformed.
            ConnectionError::MqttState(StateError::Deserialization(
                mqttbytes::Error::InvalidConnectReturnCode(code),
            )) => Self { connack: Some(*code), ..Self::default() },
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                Self { is_cut_off: true, ..Self::default() }
            }
            // Whether the transport failed in dialling, in the client, or under its codec.
            ConnectionError::Io(error)
            | ConnectionError::MqttState(
                StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)),
            ) => {
                let alert = alert(error);
                let is_cut_off = alert.is_none() && CUT_OFF.contains(&error.kind());
                Self { connack: None, alert, is_cut_off }
            }
            _ => Self::default(),
        }
    }
}

/// The TLS alert in an error of the transport: of TLS 1.3 a client hears of it only when it reads.
fn alert(error: &io::Error) -> Option<u8> {
    let mut source = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(error) = source {
        if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref() {
            return Some(u8::from(*alert));
        }
        source = match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use rumqttc::ConnectReturnCode;

    use super::*;

    #[test]
    fn what_an_endpoint_said_is_kept() {
        let said = |error: &ConnectionError| {
            let Refusal { connack, alert, is_cut_off } = Refusal::of(error);
            assert!(!is_cut_off, "{error}");
            (connack, alert)
        };
        let busy = ConnectionError::ConnectionRefused(ConnectReturnCode::ServiceUnavailable);
        assert_eq!(said(&busy), (Some(3), None));
        let unauthorized = mqttbytes::Error::InvalidConnectReturnCode(7);
        assert_eq!(said(&ConnectionError::MqttState(unauthorized.into())), (Some(7), None));
        let unknown = || {
            let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
            io::Error::new(io::ErrorKind::InvalidData, alert)
        };
        assert_eq!(said(&ConnectionError::Io(unknown())), (None, Some(46)));
        assert_eq!(said(&ConnectionError::MqttState(unknown().into())), (None, Some(46)));
        let read = mqttbytes::Error::Io(unknown());
        assert_eq!(said(&ConnectionError::MqttState(read.into())), (None, Some(46)));
        assert_eq!(said(&ConnectionError::Io(io::Error::other(unknown()))), (None, Some(46)));
        assert_eq!(said(&ConnectionError::NetworkTimeout), (None, None));
    }

    #[test]
    fn an_end_without_a_word_is_none_of_ours() {
        let is_cut_off = |error: ConnectionError| Refusal::of(&error).is_cut_off;
        assert!(is_cut_off(ConnectionError::MqttState(StateError::ConnectionAborted)));
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(is_cut_off(ConnectionError::Io(reset())));
        assert!(is_cut_off(ConnectionError::MqttState(reset().into())));
        assert!(is_cut_off(ConnectionError::MqttState(mqttbytes::Error::Io(reset()).into())));
        assert!(!is_cut_off(ConnectionError::NetworkTimeout), "our own patience");
        assert!(
            !is_cut_off(ConnectionError::Io(io::ErrorKind::ConnectionRefused.into())),
            "nobody was there"
        );
    }
}
