-- The private functions of this landing are for the definer functions in public alone.

revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;
