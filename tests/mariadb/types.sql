-- SPDX-License-Identifier: Apache-2.0
-- Every column type, with its extremes and NULL; run against the source with sql_mode=''.
create database if not exists t;
use t;
create or replace table alltypes (
 id int primary key, ti tinyint, tiu tinyint unsigned, si smallint, siu smallint unsigned, mi mediumint, miu mediumint unsigned, i int, iu int unsigned, bi bigint, biu bigint unsigned,
 f float, d double, de decimal(10,2), deb decimal(65,30), dez decimal(5,0), y year, da date, t0 time, t1 time(1), t3 time(3), t6 time(6), dt0 datetime, dt3 datetime(3), dt6 datetime(6), ts0 timestamp null, ts6 timestamp(6) null,
 b1 bit(1), b12 bit(12), b64 bit(64), e enum('a','b','c'), s set('x','y','z'), c char(10), cu char(255) character set utf8mb4, bn binary(8), vc varchar(20), vcl varchar(500), vb varbinary(20), tt tinytext, tx text, mt mediumtext, lt longtext, tb tinyblob, bl blob, mb mediumblob, lb longblob, js json, g geometry, pt point, i6 inet6, i4 inet4, u uuid, vcc varchar(100) compressed, tc text compressed, bc blob compressed, gv int as (id+1) virtual, gs int as (id*2) stored);
insert into alltypes (id) values (1);
insert into alltypes values (2,-128,255,-32768,65535,-8388608,16777215,-2147483648,4294967295,-9223372036854775808,18446744073709551615,
 -1.5,1e300,-12345678.90,-99999999999999999999999999999999999.999999999999999999999999999999,-99999,1901,'0001-01-01','-838:59:59','-00:00:00.5','-838:59:59.999','838:59:59.999999','0001-01-01 00:00:00','9999-12-31 23:59:59.999','1000-01-01 00:00:00.000001','1970-01-01 00:00:01','2038-01-19 03:14:07.999999',
 b'1',b'101010101010',0xFFFFFFFFFFFFFFFF,'c','x,z','abc','ü日本🎉',0x0100000000000000,'','long',0x00,'','text','medium','lőng',0x00ff,0x01,0x02,0x03,'{"a":1}',point(1,2),point(3,4),'::1','1.2.3.4','00112233-4455-6677-8899-aabbccddeeff','compressed','ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',repeat(0x00,300),default,default);
insert into alltypes values (3,127,0,32767,0,8388607,0,2147483647,0,9223372036854775807,0,
 3.25,-2.5e-300,0.00,0.000000000000000000000000000001,99999,0,'9999-12-31','00:00:00','00:00:00.9','00:00:00.001','-00:00:00.000001','0000-00-00 00:00:00','2024-02-29 12:34:56.789','2024-02-29 23:59:59.999999','2024-02-29 12:00:00','2000-01-01 00:00:00.000000',
 b'0',b'0',0,'','','','',0x00,'x',repeat('é',200),'','t','','','',0,'','','','[]',null,null,'fe80::1','255.255.255.255','ffffffff-ffff-ffff-ffff-ffffffffffff','','','',default,default);
update alltypes set ti=5, vc='zwölf' where id=2;
delete from alltypes where id=1;
