-- Every function is born executable by everybody. Those of the private schemas are for the definer functions in public alone; a later
-- migration that adds one ends like this (supabase/tests/surface.test.sql finds the one that does not).

revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;
