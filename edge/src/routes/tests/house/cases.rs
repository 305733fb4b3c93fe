//! What each of these routes is sent, and what it then calls.

use serde_json::json;

use super::{CARD, Case, FROM, OTHER, UNTIL};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn of_merchants() -> Vec<Case> {
    vec![
        ("GET", "/api/merchant/me", json!(null), "get_my_merchants", json!({})),
        ("GET", "/api/merchant/{a}", json!(null), "get_merchant_detail", json!({"p_merchant_id": CARD})),
        (
            "GET",
            "/api/merchant/{a}/transactions?limit=20&offset=40&start_date=2026-11-01T08:00:00%2B08:00&end_date=2026-12-01T00:00:00Z",
            json!(null),
            "get_merchant_transactions",
            json!({"p_merchant_id": CARD, "p_limit": 20, "p_offset": 40, "p_start_date": FROM, "p_end_date": UNTIL}),
        ),
        (
            "GET",
            "/api/merchant/{a}/transactions/page?before_tx_id={b}&limit=20",
            json!(null),
            "get_merchant_transactions_page",
            json!({"p_merchant_id": CARD, "p_before_tx_id": OTHER, "p_limit": 20}),
        ),
        (
            "GET",
            "/api/merchant/{a}/summary",
            json!(null),
            "get_today_transaction_stats",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "GET",
            "/api/merchant/trends?start_date=2026-11-01T00:00:00Z&end_date=2026-12-01T00:00:00Z&group_by=week&merchant_id={a}",
            json!(null),
            "get_transaction_trends",
            json!({"p_start_date": FROM, "p_end_date": UNTIL, "p_group_by": "week", "p_merchant_id": CARD}),
        ),
        (
            "POST",
            "/api/merchant/{a}/terminals",
            json!({"label": "櫃台"}),
            "register_terminal",
            json!({"p_merchant_id": CARD, "p_label": "櫃台"}),
        ),
        (
            "DELETE",
            "/api/merchant/terminals/K7Q2ZD",
            json!(null),
            "retire_terminal",
            json!({"p_terminal_code": "K7Q2ZD"}),
        ),
        (
            "PUT",
            "/api/merchant/{a}/users/{b}",
            json!({"role": "cashier"}),
            "add_merchant_user",
            json!({"p_merchant_id": CARD, "p_user_id": OTHER, "p_role": "cashier"}),
        ),
        (
            "DELETE",
            "/api/merchant/{a}/users/{b}",
            json!(null),
            "remove_merchant_user",
            json!({"p_merchant_id": CARD, "p_user_id": OTHER}),
        ),
        (
            "GET",
            "/api/merchant/{a}/settlements?limit=5&offset=0",
            json!(null),
            "list_settlements",
            json!({"p_merchant_id": CARD, "p_limit": 5, "p_offset": 0}),
        ),
        (
            "GET",
            "/api/merchant/settlements/{a}?limit=200",
            json!(null),
            "get_settlement_detail",
            json!({"p_settlement_id": CARD, "p_limit": 200}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn of_members_and_cards() -> Vec<Case> {
    let issued = |rpc| (json!({"owner_member_id": OTHER, "initial_balance": 500}), rpc);
    let arguments =
        json!({"p_owner_member_id": OTHER, "p_initial_balance": "500.00", "p_idempotency_key": "k-1"});
    let issue = |path, (body, rpc)| ("POST", path, body, rpc, arguments.clone());
    vec![
        (
            "POST",
            "/api/admin/members",
            json!({"name": "A", "phone": "+886912345678", "email": "a@b.example"}),
            "create_member_profile",
            json!({"p_name": "A", "p_phone": "+886912345678", "p_email": "a@b.example"}),
        ),
        (
            "GET",
            "/api/admin/members?status=active&limit=10&offset=10",
            json!(null),
            "get_all_members",
            json!({"p_status": "active", "p_limit": 10, "p_offset": 10}),
        ),
        (
            "POST",
            "/api/admin/members/search",
            json!({"keyword": "明", "limit": 3}),
            "search_members",
            json!({"p_keyword": "明", "p_limit": 3}),
        ),
        (
            "POST",
            "/api/admin/members/{a}/suspend",
            json!(null),
            "admin_suspend_member",
            json!({"p_member_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/members/{a}/activate",
            json!(null),
            "admin_activate_member",
            json!({"p_member_id": CARD}),
        ),
        (
            "PUT",
            "/api/admin/members/{a}/user",
            json!({"auth_user_id": OTHER}),
            "link_member_auth_user",
            json!({"p_member_id": CARD, "p_auth_user_id": OTHER}),
        ),
        (
            "GET",
            "/api/admin/cards?card_type=prepaid&status=frozen",
            json!(null),
            "get_all_cards",
            json!({"p_card_type": "prepaid", "p_status": "frozen"}),
        ),
        (
            "GET",
            "/api/admin/cards/search?keyword=STD",
            json!(null),
            "search_cards",
            json!({"p_keyword": "STD"}),
        ),
        issue("/api/admin/cards/prepaid", issued("create_prepaid_card")),
        issue("/api/admin/cards/corporate", issued("create_corporate_card")),
        issue("/api/admin/cards/voucher", issued("create_voucher_card")),
        (
            "POST",
            "/api/admin/cards/{a}/adjust",
            json!({"amount": "-12.5", "reason": "r"}),
            "adjust_card_balance",
            json!({"p_card_id": CARD, "p_amount": "-12.50", "p_reason": "r", "p_idempotency_key": "k-1"}),
        ),
        (
            "POST",
            "/api/admin/cards/{a}/points",
            json!({"delta_points": -5, "reason": "r"}),
            "update_points_and_level",
            json!({"p_card_id": CARD, "p_delta_points": -5, "p_reason": "r", "p_idempotency_key": "k-1"}),
        ),
        ("POST", "/api/admin/cards/{a}/unfreeze", json!({}), "unfreeze_card", json!({"p_card_id": CARD})),
        ("POST", "/api/admin/cards/{a}/close", json!({}), "close_card", json!({"p_card_id": CARD})),
        (
            "PUT",
            "/api/admin/cards/{a}/expiry",
            json!({"expires_at": UNTIL}),
            "set_card_expiry",
            json!({"p_card_id": CARD, "p_expires_at": UNTIL}),
        ),
        (
            "PUT",
            "/api/admin/cards/{a}/expiry",
            json!({"expires_at": null}),
            "set_card_expiry",
            json!({"p_card_id": CARD, "p_expires_at": null}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn of_the_house() -> Vec<Case> {
    vec![
        (
            "POST",
            "/api/admin/merchants",
            json!({"code": "SHOP009", "name": "N"}),
            "create_merchant",
            json!({"p_code": "SHOP009", "p_name": "N"}),
        ),
        (
            "GET",
            "/api/admin/merchants?keyword=SHOP&status=active",
            json!(null),
            "search_merchants",
            json!({"p_keyword": "SHOP", "p_status": "active"}),
        ),
        (
            "PATCH",
            "/api/admin/merchants/{a}",
            json!({"fee_bps": 150, "day_max": 1000.5, "clear_day_max": false}),
            "update_merchant",
            json!({"p_merchant_id": CARD, "p_fee_bps": 150, "p_day_max": "1000.50", "p_clear_day_max": false}),
        ),
        (
            "POST",
            "/api/admin/merchants/{a}/suspend",
            json!(null),
            "admin_suspend_merchant",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/merchants/{a}/activate",
            json!(null),
            "admin_activate_merchant",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "PUT",
            "/api/admin/levels",
            json!({"levels": [{"level": 0, "discount": "1.000"}]}),
            "set_membership_levels",
            json!({"p_levels": [{"level": 0, "discount": "1.000"}]}),
        ),
        (
            "POST",
            "/api/admin/settlements",
            json!({"merchant_id": CARD, "mode": "monthly", "period_start": FROM, "period_end": UNTIL}),
            "generate_settlement",
            json!({"p_merchant_id": CARD, "p_mode": "monthly", "p_period_start": FROM, "p_period_end": UNTIL}),
        ),
        (
            "POST",
            "/api/admin/settlements/late",
            json!({"merchant_id": CARD, "tx_nos": ["PAY0000000001"], "reason": "r"}),
            "settle_late_transactions",
            json!({"p_merchant_id": CARD, "p_tx_nos": ["PAY0000000001"], "p_reason": "r"}),
        ),
        (
            "POST",
            "/api/admin/seals/acknowledge",
            json!({"seal_no": 3, "table_name": "app.transactions", "row_id": CARD, "what": "added", "reason": "r"}),
            "acknowledge_seal_finding",
            json!({"p_seal_no": 3, "p_table_name": "app.transactions", "p_row_id": CARD, "p_what": "added", "p_reason": "r"}),
        ),
        (
            "POST",
            "/api/admin/clock/acknowledge",
            json!({"reason": "r"}),
            "acknowledge_clock",
            json!({"p_reason": "r"}),
        ),
        (
            "PUT",
            "/api/admin/settlements/{a}/status",
            json!({"status": "settled"}),
            "update_settlement_status",
            json!({"p_settlement_id": CARD, "p_status": "settled"}),
        ),
        (
            "POST",
            "/api/admin/recharge/orders/RCO0000000001/resolve",
            json!({"provider_tx_id": "4200", "resolution": "credited", "note": "n"}),
            "resolve_recharge_order",
            json!({"p_order_no": "RCO0000000001", "p_provider_tx_id": "4200", "p_resolution": "credited", "p_note": "n"}),
        ),
        (
            "GET",
            "/api/admin/recharge/events?with_resolved=true&limit=9&before_id={a}",
            json!(null),
            "list_recharge_events",
            json!({"p_with_resolved": true, "p_limit": 9, "p_before_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/recharge/events/{a}/resolve",
            json!({"note": "taken off the card"}),
            "resolve_recharge_event",
            json!({"p_recharge_event_id": CARD, "p_note": "taken off the card"}),
        ),
        ("GET", "/api/admin/settings", json!(null), "get_settings", json!({})),
        (
            "PUT",
            "/api/admin/settings/tx_amount_max",
            json!({"value": "50000"}),
            "set_setting",
            json!({"p_key": "tx_amount_max", "p_value": "50000"}),
        ),
        ("PUT", "/api/admin/admins/{a}", json!(null), "add_admin_user", json!({"p_user_id": CARD})),
        ("DELETE", "/api/admin/admins/{a}", json!(null), "remove_admin_user", json!({"p_user_id": CARD})),
        (
            "GET",
            "/api/admin/audit?object_type=card&object_id={a}&actor_user_id={b}&action=charge&before_id={b}&limit=1",
            json!(null),
            "query_audit_log",
            json!({"p_object_type": "card", "p_object_id": CARD, "p_actor_user_id": OTHER, "p_action": "charge",
                "p_before_id": OTHER, "p_limit": 1}),
        ),
        ("GET", "/api/admin/statistics", json!(null), "get_system_statistics", json!({})),
        ("GET", "/api/admin/health", json!(null), "system_health_check", json!({})),
        ("GET", "/api/admin/ledger/check", json!(null), "verify_ledger", json!({})),
        (
            "GET",
            "/api/admin/seals/check?seal_first=2&seals_max=10&anchor_seal_no=1&anchor_root=ab",
            json!(null),
            "verify_seals",
            json!({"p_seal_first": 2, "p_seals_max": 10, "p_anchor_seal_no": 1, "p_anchor_root": "ab"}),
        ),
        ("GET", "/api/admin/seals/latest", json!(null), "get_latest_seal", json!({})),
    ]
}
