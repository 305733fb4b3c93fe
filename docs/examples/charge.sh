#!/bin/sh
# One payment with curl, against `cargo xtask dev`: the member gets a code, the cashier charges it.
# Another web address than http://127.0.0.1:5173: MPS_WEB_URL.
set -eu

web=${MPS_WEB_URL:-http://127.0.0.1:5173}
field() { node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{const v=process.argv[1].split(".").reduce((o,k)=>o[k],JSON.parse(t));console.log(v)})' "$1"; }
config=$(curl -fsS "$web/config.json")
address() { case $1 in /*) echo "$web$1" ;; *) echo "$1" ;; esac; }
edge=$(address "$(echo "$config" | field edgeUrl)")
supabase=$(address "$(echo "$config" | field supabaseUrl)")
key=$(echo "$config" | field supabasePublishableKey)

sign_in() {
  curl -fsS "$supabase/auth/v1/token?grant_type=password" -H "apikey: $key" -H 'content-type: application/json' \
    -d "{\"email\":\"$1\",\"password\":\"demo-password-1234\"}" | field access_token
}
call() { # token method path [json [idempotency key]]
  curl -sS -X "$2" "$edge$3" -H "authorization: Bearer $1" -H 'content-type: application/json' \
    ${4:+-d "$4"} ${5:+-H "idempotency-key: $5"}
}

member=$(sign_in ming@demo.example)
cashier=$(sign_in cashier@demo.example)

card=$(call "$member" GET /api/member/cards | field 0.card_id)
code=$(call "$member" POST /api/qr/rotate "{\"card_id\":\"$card\",\"ttl_seconds\":60}" | field qr_plain)
echo "The member shows   $code"

body="{\"merchant_code\":\"SHOP001\",\"qr_plain\":\"$code\",\"raw_amount\":\"29.90\",\"terminal_code\":\"K7Q2ZD\"}"
intent="example-$(date +%s)-$$"
echo "The cashier charges $(call "$cashier" POST /api/payment/charge "$body" "$intent")"
echo "Again, same key     $(call "$cashier" POST /api/payment/charge "$body" "$intent")"
echo "Another key         $(call "$cashier" POST /api/payment/charge "$body" "$intent-2")"
