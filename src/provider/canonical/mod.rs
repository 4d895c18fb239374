//! Signed content that no data can describe, written by code.

pub(super) mod atlassian;
pub(super) mod sns;
pub(super) mod plivo;
pub(super) mod twilio;
pub(super) mod neon;
pub(super) mod dropbox_sign;
pub(super) mod lark;
pub(super) mod mandrill;
pub(super) mod wechat;
pub(super) mod adyen;
pub(super) mod braintree;
pub(super) mod mercado_pago;
pub(super) mod paddle_classic;
pub(super) mod truelayer;
pub(super) mod contentful;
pub(super) mod hygraph;
pub(super) mod trello;
pub(super) mod klaviyo;
