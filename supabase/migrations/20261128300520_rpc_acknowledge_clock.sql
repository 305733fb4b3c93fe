create function app.excuse_day_totals(p_now timestamptz)
returns int
language plpgsql
as $$
declare
  v_today date := app.card_day(p_now);
  v_day_start timestamptz := rules.local_day_start(v_today, app.setting('time_zone'));
  v_cards int;
begin
  -- A card's total of a day to come would count on until then.
  with ahead as (
    select c.id from app.cards c where c.paid_on > v_today order by c.id for no key update
  )
  update app.cards c
  set paid_on = v_today,
      paid_on_total = coalesce((
        select sum(t.raw_amount) from app.transactions t
        where t.card_id = c.id and t.tx_type = 'payment' and t.id >= app.first_tx_id(v_day_start) and t.id < app.uuid_v7_floor(p_now)
          and t.created_at >= v_day_start), 0)
  from ahead a where c.id = a.id;
  get diagnostics v_cards = row_count;
  return v_cards;
end;
$$;
comment on function app.excuse_day_totals(timestamptz) is 'Gives cards that paid on a day to come the total of today; how many.';

create function public.acknowledge_clock(p_reason text)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  v_now timestamptz;
  v_finding text;
  v_cards int;
  v_settlements int;
  v_sealed_from uuid;
begin
  perform sec.require_admin();
  perform app.check_reason(p_reason);
  v_finding := app.clock_finding(clock_timestamp());
  if v_finding is null then
    return false;
  end if;
  v_cards := app.excuse_day_totals(clock_timestamp());
  perform from app.clock_state s for update;
  perform sec.hold_admin();
  v_now := clock_timestamp();
  update app.clock_state s
  set seen_at = v_now, finding = null, found_at = null,
      excused_id = nullif(greatest(app.newest_transaction_id(), app.uuid_v7_floor(v_now)), app.uuid_v7_floor(v_now));
  -- No honest settlement was made after now: later ones go by the last that was.
  update app.settlements s set counts_as_period = false where s.created_at > v_now and s.counts_as_period;
  get diagnostics v_settlements = row_count;
  v_sealed_from := app.rewind_seals(v_now);
  update app.binding_attempts a set locked_until = null where a.locked_until > v_now + interval '15 minutes';
  perform audit.log('admin', 'clock.acknowledged', 'database', 'clock', jsonb_build_object(
    'finding', v_finding, 'reason', btrim(p_reason), 'clock', v_now, 'settlements_set_aside', v_settlements, 'cards', v_cards,
    'sealed_again_from', v_sealed_from));
  return true;
end;
$$;
comment on function public.acknowledge_clock(text) is
  'Admin: says that the database''s clock is right now, with a reason for the audit log, after health named it: it is behind what was posted, '
  'or jumped. What a wrong clock has reached ahead is set aside: settlements from then are no longer gone by, seals begin again where the last '
  'honest one ended, cards'' totals of days to come are today''s. Settling, sealing and purging go on. false: the clock is not in doubt. '
  'Errors: NOT_AUTHENTICATED, PERMISSION_DENIED, MALFORMED_ARGUMENT.';
revoke all on function public.acknowledge_clock(text) from public, anon, authenticated, service_role;
grant execute on function public.acknowledge_clock(text) to authenticated;
