<?php

// Vectors of WeChat Pay, signed and judged by its official library for PHP. Prints them as JSON.
//
// PHP 8.2, and github.com/wechatpay-apiv3/wechatpay-php 1.4.12 (commit bd2148e0): `php banking.php CHECKOUT`.

require "$argv[1]/src/Formatter.php";
require "$argv[1]/src/Crypto/Rsa.php";

use WeChatPay\Crypto\Rsa;
use WeChatPay\Formatter;

$key = openssl_pkey_get_private(file_get_contents(__DIR__ . '/banking-key.pem'));
$public = openssl_pkey_get_details($key)['key'];
$serial = 'PUB_KEY_ID_0114232134912410000000000000';
$time = '1714564800';
$nonce = 'EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz';

$body = json_encode([
    'id' => 'EV-2018022511223320873',
    'create_time' => '2024-05-01T20:00:00+08:00',
    'resource_type' => 'encrypt-resource',
    'event_type' => 'TRANSACTION.SUCCESS',
    'summary' => '支付成功',
    'resource' => ['original_type' => 'transaction', 'algorithm' => 'AEAD_AES_256_GCM', 'ciphertext' => '...', 'associated_data' => '', 'nonce' => ''],
], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);

$headers = fn (string $signature, string $nonce, string $serial) => [
    'Content-Type' => 'application/json',
    'Wechatpay-Nonce' => $nonce,
    'Wechatpay-Timestamp' => $time,
    'Wechatpay-Serial' => $serial,
    'Wechatpay-Signature' => $signature,
    'Wechatpay-Signature-Type' => 'WECHATPAY2-SHA256-RSA2048',
];
$signature = Rsa::sign(Formatter::response($time, $nonce, $body), $key);

$signed = 'Signed by Rsa::sign and accepted by Rsa::verify of github.com/wechatpay-apiv3/wechatpay-php 1.4.12; inputs ours.';
$refused = 'Derived from a vector above; refused by Rsa::verify of github.com/wechatpay-apiv3/wechatpay-php 1.4.12.';
$ring = [['id' => $serial, 'key' => $public]];
$cases = [
    ['payment with non-ASCII text, key chosen by its id', $signed, $signature, $nonce, $body, $serial, 'valid', 0],
    ['299 s old', $signed, $signature, $nonce, $body, $serial, 'valid', 299],
    ['another nonce', $refused, $signature, strrev($nonce), $body, $serial, 'invalid: signature mismatch', 0],
    ['body with a blank at its end', $refused, $signature, $nonce, "$body ", $serial, 'invalid: signature mismatch', 0],
    ['probe that WeChat Pay sends to see whether signatures are verified', $refused, 'WECHATPAY/SIGNTEST/' . substr($signature, 19), $nonce,
        $body, $serial, 'invalid: signature mismatch', 0],
];

$vectors = [];
foreach ($cases as [$name, $source, $candidate, $used, $sent, $id, $expect, $age]) {
    $valid = $expect === 'valid';
    if ($valid !== Rsa::verify(Formatter::response($time, $used, $sent), $candidate, $public)) {
        throw new Exception($name);
    }
    $vectors[] = [
        'name' => $name,
        'origin' => 'official-code',
        'source' => $source,
        'keys' => $ring,
        'method' => 'POST',
        'url' => 'https://hooks.example.com/wechatpay',
        'headers' => $headers($candidate, $used, $id),
        'body' => $sent,
        'now' => (int) $time + $age,
        'expect' => $expect,
        'id' => $valid ? 'EV-2018022511223320873' : null,
        'event' => $valid ? 'TRANSACTION.SUCCESS' : null,
    ];
}
echo json_encode(['wechatpay' => $vectors], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT), "\n";
