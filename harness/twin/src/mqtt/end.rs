//! Why a connection ended, and what AWS makes of each reason: the word in the lifecycle event, whether the will is sent,
//! and the code that an MQTT 5 client is told.

use rmqtt_codec::v5::DisconnectReasonCode;

/// What cut a connection from below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severed {
    /// The network.
    Lost,
    /// The broker, which starts again.
    Restarted,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// DISCONNECT.
    Client,
    /// DISCONNECT that asks for the will (MQTT 5).
    ClientWithWill,
    /// The socket broke or was closed without a word.
    Lost,
    /// Nothing came for one and a half times the keep-alive.
    KeepAlive,
    /// A newer connection has the client id.
    TakenOver,
    /// Its certificate or its policies do not allow what it did, or that it is here.
    NotAuthorized,
    /// It did what the protocol or a limit forbids.
    ClientError(DisconnectReasonCode),
    /// It was cut from below: its client sees a reset.
    Severed(Severed),
    /// The Region went dark: nobody notices anything.
    Dark,
}

impl End {
    /// `disconnectReason` of the lifecycle event.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Client | Self::ClientWithWill => "CLIENT_INITIATED_DISCONNECT",
            Self::Lost | Self::Dark | Self::Severed(Severed::Lost) => "CONNECTION_LOST",
            Self::Severed(Severed::Restarted) => "SERVER_INITIATED_DISCONNECT",
            Self::KeepAlive => "MQTT_KEEP_ALIVE_TIMEOUT",
            Self::TakenOver => "DUPLICATE_CLIENTID",
            Self::NotAuthorized => "AUTH_ERROR",
            Self::ClientError(_) => "CLIENT_ERROR",
        }
    }

    pub(super) fn is_client_initiated(self) -> bool {
        matches!(self, Self::Client | Self::ClientWithWill)
    }

    /// AWS sends the will for every reason except DISCONNECT.
    pub(super) fn sends_will(self) -> bool {
        !matches!(self, Self::Client | Self::Dark)
    }

    /// What an MQTT 5 client is told before its connection is closed.
    pub(super) fn code(self) -> Option<DisconnectReasonCode> {
        match self {
            Self::Client | Self::ClientWithWill | Self::Lost | Self::Dark | Self::Severed(_) => None,
            Self::KeepAlive => Some(DisconnectReasonCode::KeepAliveTimeout),
            Self::TakenOver => Some(DisconnectReasonCode::SessionTakenOver),
            Self::NotAuthorized => Some(DisconnectReasonCode::NotAuthorized),
            Self::ClientError(code) => Some(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_but_disconnect_sends_the_will() {
        for (end, will) in [
            (End::Client, false),
            (End::ClientWithWill, true),
            (End::Lost, true),
            (End::KeepAlive, true),
            (End::TakenOver, true),
            (End::NotAuthorized, true),
            (End::ClientError(DisconnectReasonCode::ProtocolError), true),
            (End::Severed(Severed::Lost), true),
            (End::Severed(Severed::Restarted), true),
            (End::Dark, false),
        ] {
            assert_eq!(end.sends_will(), will, "{end:?}");
        }
    }
}
