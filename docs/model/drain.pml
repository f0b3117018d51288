/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of the drain protocol: one target (node 0), peers that each run a maintainer with at most one dispatcher on the
 * target, one coordinator at a time with a durable intent. docs/model/README.md says how to run it and what it showed.
 *
 * Modelled: drain epochs and the monotonic rule, acknowledgements bound to a node epoch, placement of work by peers that do
 * not know the target yet, Creates in flight, the target's self report and self guard, loss, duplication and reordering of
 * messages, coordinator failover, restart of a peer or of the target with a new node epoch, undrain before STOPPING, the clear.
 * Not modelled: time, lag, pacing, several targets.
 *
 * GUARD = 0 takes the target's self guard away: then "safe" can be said too early, and the checker must find it.
 */
#ifndef GUARD
#define GUARD 1
#endif
#ifndef PEERS
#define PEERS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#ifndef UNDRAIN
#define UNDRAIN 1
#endif
#define N (PEERS + 1)
/*
 * Resends and heartbeats. For safety they may come at any moment; for progress only when nothing else can happen, because the
 * checker's fairness is between processes, not between the choices of one, and a resend is always a choice. A heartbeat without news then changes nothing and is left out.
 */
#ifdef PROGRESS
#define QUIET timeout
#define NEWS(n) (seen[n] != node_epoch[n] || left[n] != (n == 0 -> WORK0 : work[n] + starting[n]) || (n == 0 && live_seen != live))
#else
#define QUIET true
#define NEWS(n) true
#endif

mtype = { ALIVE, DRAINING, STOPPING };            /* liveness of one node epoch */
mtype = { NONE, EVACUATING, STOP_ASKED, SAFE, CLEARING, DONE }; /* durable phase of the intent */
mtype = { TARGET, CLEAR, DRAIN, STOP };           /* coordinator to node */

/* ---- durable ---- */
byte d_epoch = 0;      /* epoch of the intent; raised before it is used */
mtype d_phase = NONE;
bool d_cancelled = false;

/* ---- the nodes ---- */
bool t_set[N];         /* the applied drain target: set or empty ... */
byte t_epoch[N];       /* ... with this epoch */
byte t_cleared[N];     /* highest epoch this node epoch has cleared: for the property only */
byte node_epoch[N];
mtype live = ALIVE;    /* of the target */
bool gone = false;     /* the target has left membership */

byte work[N];          /* dispatchers on the target that belong to the maintainer of peer n */
byte starting[N];      /* Creates of peer n in flight to the target */

byte lost = 0, failovers = 0, restarts = 0;
bool safe_said = false; /* somebody was told "safe to stop" about the present life of the target */
bool rule_broken = false;

/* To nodes: kind, drain epoch, node epoch meant (0 = any). Back: node, its epoch, target set, target epoch, stopping?, its work. */
chan to[N] = [2] of { mtype, byte, byte };
chan back = [3] of { byte, byte, bool, byte, mtype, byte };

#define WORK0 (work[1] + work[PEERS])
#define FLYING (starting[1] + starting[PEERS])

/* What the coordinator remembers; gone with it. */
byte acked[N];   /* node epoch with which (set, d_epoch) was acknowledged; 0 = not */
byte cleared[N]; /* the same for the clear */
byte seen[N];    /* newest node epoch heard of */
byte left[N];    /* work it reported, in that node epoch; 255 = not known */
mtype live_seen = ALIVE;

inline answer(n) {
    /* A full channel loses the answer: at most once. What a peer reports is its own share; the target reports all it hosts. */
    if
    :: n == 0 && nfull(back) -> back ! 0, node_epoch[0], t_set[0], t_epoch[0], live, WORK0
    :: n != 0 && nfull(back) -> back ! n, node_epoch[n], t_set[n], t_epoch[n], ALIVE, work[n] + starting[n]
    :: full(back) -> skip
    fi
}

inline apply(n, k, e) {
    if
    :: k == TARGET && e > t_epoch[n] -> t_set[n] = true; t_epoch[n] = e; rule_broken = rule_broken || e <= t_cleared[n]
    :: k == CLEAR && (e > t_epoch[n] || (e == t_epoch[n] && t_set[n])) ->
        t_set[n] = false; t_epoch[n] = e; t_cleared[n] = e
    :: else -> skip /* stale, duplicate or conflicting: nothing changes, but it is answered */
    fi
}

proctype Node(byte n) {
    mtype k; byte e, ne;
    do
    /* a message is handled: taken, or (a duplicate) left in the channel once more */
    :: atomic { to[n] ?? k, e, ne ->
        if
        :: lost < LOSSES -> lost++                                             /* lost */
        :: true ->
            if
            :: lost < LOSSES && nfull(to[n]) -> lost++; to[n] ! k, e, ne        /* comes twice */
            :: true -> skip
            fi;
            if
            :: (k == TARGET || k == CLEAR) -> apply(n, k, e)
            :: k == DRAIN && (ne == 0 || ne == node_epoch[n]) && live == ALIVE -> live = DRAINING
            :: k == STOP && ne == node_epoch[n] && live == DRAINING && (!GUARD || WORK0 == 0) -> live = STOPPING
            :: else -> skip
            fi;
            answer(n)
        fi; k = TARGET; e = 0; ne = 0 }
    /* heartbeat: only while somebody may need it, so that the model ends */
    :: atomic { QUIET && NEWS(n) && empty(back) && empty(to[n]) && d_phase != DONE && d_phase != NONE && !(n == 0 && gone) -> answer(n) }
    /* the peer's maintainer: places work on the target while it does not know better, evacuates when it does */
    :: atomic { n != 0 && !t_set[n] && work[n] + starting[n] == 0 && !gone && d_phase != DONE -> starting[n] = 1 }
    :: atomic { n != 0 && starting[n] == 1 ->
        starting[n] = 0;
        if
        :: !gone && (!GUARD || live != STOPPING) -> work[n] = 1
        :: else -> skip                                                         /* answered with Removed */
        fi }
    :: atomic { n != 0 && t_set[n] && work[n] == 1 -> work[n] = 0 }
    /* a new process life under the same id; a peer's dispatchers on the target outlive its maintainer */
    :: atomic { restarts < RESTARTS && d_phase != DONE && !gone && !safe_said ->
        restarts++; node_epoch[n]++; t_set[n] = false; t_epoch[n] = 0; t_cleared[n] = 0;
        if
        :: n == 0 -> live = ALIVE; work[1] = 0; work[PEERS] = 0
        :: else -> skip
        fi }
    :: atomic { d_phase == DONE && empty(to[n]) && (n == 0 || (starting[n] == 0 && (t_set[n] || gone || work[n] == 1))) -> break }
    od
}

inline forget() {
    acked[0] = 0; acked[1] = 0; acked[PEERS] = 0; cleared[1] = 0; cleared[PEERS] = 0;
    seen[0] = 0; seen[1] = 0; seen[PEERS] = 0; left[0] = 255; left[1] = 255; left[PEERS] = 255; live_seen = ALIVE
}

#define ACKED(n) (acked[n] != 0 && acked[n] == seen[n])
#define CLEARED(n) (cleared[n] != 0 && cleared[n] == seen[n])
#define NOTHING_LEFT (ACKED(1) && ACKED(PEERS) && left[1] == 0 && left[PEERS] == 0)

active proctype Coordinator() {
    byte n, ne, e, w; bool s; mtype l;
    atomic {
        node_epoch[0] = 1; node_epoch[1] = 1; node_epoch[PEERS] = 1;
        work[1] = 1; forget();
        run Node(0); run Node(1);
        if :: PEERS == 2 -> run Node(2) :: else -> skip fi
    }
    do
    :: atomic { back ?? n, ne, s, e, l, w ->
        if
        :: ne < seen[n] -> skip                                                 /* an older life: dropped */
        :: else ->
            if
            :: ne > seen[n] -> seen[n] = ne; acked[n] = 0; cleared[n] = 0; left[n] = 255;
                if :: n == 0 -> live_seen = ALIVE :: else -> skip fi
            :: else -> skip
            fi;
            left[n] = w;
            if :: e == d_epoch && s -> acked[n] = ne :: else -> skip fi;
            if :: (!s && e >= d_epoch) -> cleared[n] = ne :: else -> skip fi;
            if
            :: n == 0 && l == STOPPING -> live_seen = STOPPING
            :: n == 0 && l == DRAINING && live_seen == ALIVE -> live_seen = DRAINING
            :: else -> skip
            fi
        fi; n = 0; ne = 0; e = 0; w = 0; s = false; l = ALIVE }
    /* the request: durable first, used afterwards */
    :: atomic { d_phase == NONE -> d_epoch++; d_phase = EVACUATING }
    /* push what is not acknowledged */
    :: atomic { d_phase != CLEARING && d_phase != DONE && d_phase != NONE && !ACKED(1) && empty(to[1]) && empty(back) && QUIET -> to[1] ! TARGET, d_epoch, 0 }
    :: atomic { PEERS == 2 && d_phase != CLEARING && d_phase != DONE && d_phase != NONE && !ACKED(PEERS) && empty(to[PEERS]) && empty(back) ->
        to[PEERS] ! TARGET, d_epoch, 0 }
    :: atomic { (d_phase == EVACUATING || d_phase == STOP_ASKED) && live_seen == ALIVE && empty(to[0]) && empty(back) && QUIET -> to[0] ! DRAIN, d_epoch, seen[0] }
    /* everything is gone, as far as is known: STOPPING becomes durable, then it is asked for */
    :: atomic { d_phase == EVACUATING && NOTHING_LEFT && live_seen == DRAINING -> d_phase = STOP_ASKED }
    :: atomic { d_phase == STOP_ASKED && live_seen == DRAINING && empty(to[0]) && empty(back) && QUIET -> to[0] ! STOP, d_epoch, seen[0] }
    /* the proof: all of it, and the target's own word */
    :: atomic { d_phase == STOP_ASKED && NOTHING_LEFT && live_seen == STOPPING && left[0] == 0 -> d_phase = SAFE; safe_said = true }
    /* undrain, until STOPPING is durable: a clear, then the node takes a new node epoch */
    :: atomic { UNDRAIN && d_phase == EVACUATING && !d_cancelled -> d_cancelled = true; d_phase = CLEARING }
    /* the operator stops the node */
    :: atomic { d_phase == SAFE && !gone -> gone = true; d_phase = CLEARING }
    :: atomic { d_phase == CLEARING && !CLEARED(1) && empty(to[1]) && empty(back) && QUIET -> to[1] ! CLEAR, d_epoch, 0 }
    :: atomic { PEERS == 2 && d_phase == CLEARING && !CLEARED(PEERS) && empty(to[PEERS]) && empty(back) && QUIET -> to[PEERS] ! CLEAR, d_epoch, 0 }
    :: atomic { d_phase == CLEARING && CLEARED(1) && CLEARED(PEERS) ->
        d_phase = DONE;
        if :: d_cancelled -> node_epoch[0]++; live = ALIVE :: else -> skip fi }
    /* another coordinator takes over: same intent, higher epoch, nothing remembered */
    :: atomic { failovers < FAILOVERS && d_phase != NONE && d_phase != DONE ->
        failovers++; forget(); if :: d_phase != SAFE -> d_epoch++ :: else -> skip fi }
    :: atomic { d_phase == DONE -> break }
    od
}

/* "Safe to stop" implies zero work on the target, then and later, until it leaves (and nothing arrives after that). */
ltl safe_is_empty { [] (safe_said -> WORK0 == 0) }
/* A cleared epoch never becomes active again within a node epoch. */
ltl cleared_stays_cleared { [] !rule_broken }
/* With bounded losses, failovers and restarts every drain ends. */
ltl drain_ends { <> (d_phase == DONE) }
