-- Looking cards up: by prefix of number or name, by another status than active, by expiry. None of these columns changes in a charge but a
-- voucher's status, so that charges stay heap-only updates.

create index cards_by_card_no_prefix on app.cards (card_no text_pattern_ops);
create index cards_by_name_prefix on app.cards (lower(name) text_pattern_ops) where name is not null;
create index cards_not_active on app.cards (status, id) where status <> 'active';
create index cards_to_expire on app.cards (expires_at)
  where expires_at is not null and status in ('active', 'frozen', 'lost');
