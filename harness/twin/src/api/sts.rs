//! STS, as far as clients ask who they are: `GetCallerIdentity`, in the query protocol.

use crate::{
    call::{Call, Reply},
    world::World,
};

/// The id of the user that every caller is.
pub(super) const USER_ID: &str = "AIDAGAMEDAYTWIN";

pub(super) fn handle(world: &World, call: &Call) -> Reply {
    let body = String::from_utf8_lossy(&call.body);
    if !super::query(&body).iter().any(|(k, v)| k == "Action" && v == "GetCallerIdentity") {
        return Reply::xml(
            400,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>InvalidAction</Code><Message>The twin's STS has GetCallerIdentity only</Message></Error>\
             <RequestId>twin</RequestId></ErrorResponse>"
                .to_owned(),
        );
    }
    let account = &world.account;
    Reply::xml(
        200,
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:user/gameday</Arn><UserId>{USER_ID}</UserId>\
             <Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>twin</RequestId>\
             </ResponseMetadata></GetCallerIdentityResponse>"
        ),
    )
}
