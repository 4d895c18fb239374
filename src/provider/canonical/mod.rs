//! Signed content that no data can describe, written by code.

pub(super) mod adyen;
pub(super) mod atlassian;
pub(super) mod braintree;
pub(super) mod contentful;
pub(super) mod dropbox_sign;
pub(super) mod hygraph;
pub(super) mod klaviyo;
pub(super) mod lark;
pub(super) mod mandrill;
pub(super) mod mercado_pago;
pub(super) mod neon;
pub(super) mod paddle_classic;
pub(super) mod plivo;
pub(super) mod sns;
pub(super) mod trello;
pub(super) mod truelayer;
pub(super) mod twilio;
pub(super) mod wechat;
