<?php

// Signs vectors of Paddle Classic as PHP serialises their fields, and lets the official plugin of Paystack judge those of paystack.json.
//
// PHP 8.2, and a checkout of github.com/PaystackHQ/plugin-magento-2 (commit 2320d71c): `php payments.php CHECKOUT`. It writes into
// ../paddle-classic.json.

namespace Magento\Payment\Helper {
    // The plugin asks Magento for its secret; nothing else of Magento is needed.
    class Data
    {
        public function __construct(private string $secret)
        {
        }

        public function getMethodInstance($code)
        {
            return $this;
        }

        public function getConfigData($name)
        {
            return ['live_secret_key' => $this->secret, 'test_mode' => false][$name];
        }
    }
}

namespace Pstk\Paystack\Model\Payment {
    class Paystack
    {
        const CODE = 'pstk_paystack';
    }
}

namespace {
    use Magento\Payment\Helper\Data;
    use Pstk\Paystack\Gateway\PaystackApiClient;

    function readVectors(string $provider): array
    {
        return json_decode(file_get_contents(__DIR__ . "/../$provider.json"), true);
    }

    require $argv[1] . '/Gateway/PaystackApiClient.php';
    foreach (readVectors('paystack')['vectors'] as $vector) {
        $client = new PaystackApiClient(new Data($vector['secret']));
        $accepted = $client->validateWebhookSignature($vector['body'], $vector['headers']['x-paystack-signature']);
        if ($accepted !== ($vector['expect'] === 'valid')) {
            throw new Exception($vector['name']);
        }
    }

    function signed(array $fields): array
    {
        ksort($fields);
        openssl_sign(serialize($fields), $signature, file_get_contents(__DIR__ . '/payments-key.pem'), OPENSSL_ALGO_SHA1);
        return $fields + ['p_signature' => base64_encode($signature)];
    }

    $public = openssl_pkey_get_details(openssl_pkey_get_private(file_get_contents(__DIR__ . '/payments-key.pem')))['key'];
    $fields = [
        'alert_id' => '1891573017',
        'alert_name' => 'subscription_created',
        'cancel_url' => 'https://checkout.paddle.com/subscription/cancel?user=4&subscription=8&hash=abc',
        'currency' => 'EUR',
        'email' => 'zoë@example.com',
        'event_time' => '2021-03-04 12:13:09',
        'marketing_consent' => '',
        'passthrough' => '{"name":"Café Łódź ♥"}',
        'quantity' => '1',
        'unit_price' => '9.90',
    ];
    // Browsers and libraries escape non-ASCII text; a form that does not is a form too.
    $raw = fn (array $fields) => implode('&', array_map(
        fn ($name, $value) => $name . '=' . preg_replace_callback('/[^\x80-\xff]/', fn ($byte) => rawurlencode($byte[0]), $value),
        array_keys($fields),
        $fields,
    ));
    $signed = signed($fields);
    $vector = fn (string $name, string $source, string $body, string $expect, ?string $id, ?string $event) => [
        'name' => $name,
        'origin' => 'computed',
        'source' => $source,
        'secret' => $public,
        'method' => 'POST',
        'url' => 'https://hooks.example.com/paddle-classic',
        'headers' => ['Content-Type' => 'application/x-www-form-urlencoded'],
        'body' => $body,
        'now' => null,
        'expect' => $expect,
        'id' => $id,
        'event' => $event,
    ];
    $by = 'Signed with ksort, serialize and openssl_sign of PHP 8.2 as the documentation does; inputs and key ours.';
    $new = [
        $vector('subscription created, with non-ASCII text', $by, $raw($signed), 'valid', '1891573017', 'subscription_created'),
        $vector('fields in another order', $by, http_build_query(array_reverse($signed)), 'valid', '1891573017', 'subscription_created'),
        $vector('field added', 'The first, changed.', $raw($signed) . '&status=active', 'invalid: signature mismatch', null, null),
        $vector('field twice', 'The first, changed; PHP would see the last of the two only.', $raw($signed) . '&quantity=1', 'invalid: field is there twice', null, null),
    ];
    // Read as one kind of form, the first and its signature; read as the other, fields of an attacker's choice beside that signature.
    $part = fn (string $name, string $value) => "\r\n--x\r\nContent-Disposition: form-data; name=\"$name\"\r\n\r\n$value";
    $other = $part('alert_id', '1') . $part('alert_name', 'payment_refunded') . $part('p_signature', $signed['p_signature']) . "\r\n--x--\r\n";
    $new[] = [
        ...$vector('signed fields in front of a form of another kind', 'The first, with parts after it that only multipart/form-data shows; computed with PHP 8.2.',
            $raw(array_diff_key($signed, ['p_signature' => 0])) . "&p_signature=$other", 'invalid: not a urlencoded form', null, null),
        'headers' => ['Content-Type' => 'multipart/form-data; boundary=x'],
    ];
    $file = readVectors('paddle-classic');
    $names = array_column($new, 'name');
    $kept = array_values(array_filter($file['vectors'], fn ($old) => !in_array($old['name'], $names, true)));
    $file['vectors'] = array_merge($kept, $new);
    $json = json_encode($file, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    file_put_contents(__DIR__ . '/../paddle-classic.json', preg_replace_callback('/^ +/m', fn ($blanks) => str_repeat(' ', intdiv(strlen($blanks[0]), 2)), $json) . "\n");
}
