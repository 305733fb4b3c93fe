-- The clock that the books are kept by. Periods are settled, slices are sealed and old rows are purged up to "now"; with a clock that ran ahead
-- for an hour all that reaches into the future, and what is posted after it was set right lies behind it, in no settlement and in no seal.
-- So the jobs remember until when they have seen the clock. One that is behind that, or behind what was posted, or that jumped ahead of
-- both, is in doubt: charges go on, but nothing is settled, sealed or purged until an admin has looked and acknowledged it.

create table app.clock_state (
  is_the_only_row boolean primary key default true constraint clock_state_has_one_row check (is_the_only_row),
  seen_at timestamptz,
  finding text constraint clock_state_finding_known check (finding in ('behind', 'ahead')),
  found_at timestamptz,
  excused_id uuid,
  constraint clock_state_finding_has_its_time check ((finding is null) = (found_at is null))
);
comment on table app.clock_state is
  'seen_at: the clock at the last job that trusted it. finding: why it is in doubt since, NULL while it is trusted; found_at: what it showed '
  'then. excused_id: the newest transaction when an admin acknowledged; what lies between is known to come from a wrong clock.';
alter table app.clock_state enable row level security;
insert into app.clock_state default values;

create function app.newest_transaction_id()
returns uuid
language plpgsql stable
as $$
begin
  return (select t.id from app.transactions t order by t.id desc limit 1);
end;
$$;
comment on function app.newest_transaction_id() is 'The id of the newest transaction, and so the newest moment at which anything was posted.';

create function app.has_jumped(p_from timestamptz, p_to timestamptz)
returns boolean
language plpgsql stable
as $$
declare
  v_at timestamptz := p_from;
  v_newest uuid;
begin
  -- From posting to posting, at most a day a step: jobs that stood still for a month in which shops went on are no jump.
  while v_at < p_to - interval '1 day' loop
    select t.id into v_newest
    from app.transactions t
    where t.id > app.uuid_v7_floor(v_at + interval '1 millisecond') and t.id < app.uuid_v7_floor(v_at + interval '1 day')
    order by t.id desc limit 1;
    if v_newest is null then
      return true;
    end if;
    v_at := app.uuid_v7_time(v_newest);
  end loop;
  return false;
end;
$$;
comment on function app.has_jumped(timestamptz, timestamptz) is 'Whether more than a day between two moments has no posting.';

create function app.clock_finding(p_now timestamptz)
returns text
language plpgsql stable
as $$
declare
  v_state app.clock_state;
  v_newest uuid := app.newest_transaction_id();
begin
  select s.* into strict v_state from app.clock_state s;
  return case
    when v_state.finding is not null then v_state.finding
    when p_now < v_state.seen_at - interval '5 minutes' then 'behind'
    when v_newest > app.uuid_v7_floor(p_now + interval '5 minutes') and v_newest > coalesce(v_state.excused_id, app.uuid_v7_floor(p_now))
      then 'behind'
    when app.has_jumped(v_state.seen_at, p_now) then 'ahead'
  end;
end;
$$;
comment on function app.clock_finding(timestamptz) is
  'behind: the clock is more than five minutes behind a posting or behind what a job saw; ahead: it is more than a day ahead of both; NULL: '
  'it is trusted. What was found stays until it is acknowledged.';

create function app.trusts_clock()
returns boolean
language plpgsql volatile
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_finding text := app.clock_finding(v_now);
begin
  -- Another job that is writing it down now says the same.
  perform from app.clock_state s for update skip locked;
  if found then
    update app.clock_state s
    set seen_at = case when v_finding is null then v_now else s.seen_at end,
        finding = v_finding,
        found_at = case when v_finding is not null then coalesce(s.found_at, v_now) end;
  end if;
  if v_finding is not null then
    raise warning 'the clock is in doubt (%): nothing is settled, sealed or purged until an admin acknowledges it', v_finding;
  end if;
  return v_finding is null;
end;
$$;
comment on function app.trusts_clock() is 'Whether a job may go by the clock; remembers what it saw.';

create function app.check_clock()
returns void
language plpgsql stable
as $$
begin
  if app.clock_finding(clock_timestamp()) is not null then
    perform rules.fail('CLOCK_IN_DOUBT');
  end if;
end;
$$;
comment on function app.check_clock() is 'Refuses what goes by the clock while that is in doubt: CLOCK_IN_DOUBT.';

create function app.check_reason(p_reason text)
returns void
language plpgsql immutable
as $$
begin
  if p_reason is null or char_length(btrim(p_reason)) not between 1 and 500 or p_reason ~ '[[:cntrl:]]' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'reason'));
  end if;
end;
$$;
comment on function app.check_reason(text) is 'Refuses a reason that is blank, longer than 500 characters or not one line.';
