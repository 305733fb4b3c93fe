-- What rotate_card_qr and revoke_card_qr share.

create function app.random_digits(p_count int)
returns text
language plpgsql volatile
set search_path = ''
as $$
declare
  v_digits text := '';
  v_bytes bytea;
  v_byte int;
begin
  while length(v_digits) < p_count loop
    v_bytes := extensions.gen_random_bytes(32);
    for v_place in 0 .. 31 loop
      v_byte := get_byte(v_bytes, v_place);
      -- 250 to 255 would make the digits 0 to 5 likelier.
      if v_byte < 250 and length(v_digits) < p_count then
        v_digits := v_digits || (v_byte % 10)::text;
      end if;
    end loop;
  end loop;
  return v_digits;
end;
$$;
comment on function app.random_digits(int) is 'Unbiased decimal digits from the database''s CSPRNG.';

create function app.lock_own_card_for_codes(p_card_id uuid, p_member_id uuid)
returns app.cards
language plpgsql
set search_path = ''
as $$
declare
  v_card app.cards;
begin
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card.
  if not exists (select from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id) then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  -- Shared with the same lock of others; a charge, a freeze or an unbinding of this card waits, and is waited for.
  select c.* into v_card from app.cards c where c.id = p_card_id for share;
  -- One member's calls for one card follow each other; he may have been unbound meanwhile.
  perform from app.card_bindings b where b.card_id = p_card_id and b.member_id = p_member_id for update;
  if not found then
    perform rules.fail('CARD_NOT_FOUND');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_own_card_for_codes(uuid, uuid) is
  'Locks a card and the member''s binding to it; an unknown card and one he is not bound to get the same answer.';

create function app.revoke_open_code(p_card_id uuid, p_member_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_was_live boolean;
begin
  update app.payment_codes c
  set revoked_at = clock_timestamp()
  where c.card_id = p_card_id and c.member_id = p_member_id and c.consumed_at is null and c.revoked_at is null
  returning c.expires_at > clock_timestamp() into v_was_live;
  return coalesce(v_was_live, false);
end;
$$;
comment on function app.revoke_open_code(uuid, uuid) is 'Ends the one open code of a member and card; whether it was still live.';
