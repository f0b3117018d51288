-- SPDX-License-Identifier: Apache-2.0
-- The rows of types.sql as read_source prints them.
select id, ti, tiu, si, siu, mi, miu, i, iu, bi, biu, f, d, de, deb, dez, y+0, da, t0, t1, t3, t6, dt0, dt3, dt6, ts0, ts6, b1+0, b12+0, b64+0, e+0, s+0, c, cu, hex(bn), vc, vcl, hex(vb), tt, tx, mt, lt, hex(tb), hex(bl), hex(mb), hex(lb), js, hex(g), hex(pt), hex(cast(i6 as binary(16))), hex(cast(i4 as binary(4))), hex(cast(u as binary(16))), vcc, tc, hex(bc), gv, gs from t.alltypes order by id;
