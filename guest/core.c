/*
** Lua's core as one program, so that the compiler sees all of it at once. What the libraries call stays as it is: the
** guest's linker puts functions of its own in the place of some (--wrap).
*/
#include "lprefix.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LUA_CORE
#include "luaconf.h"

/* nothing outside calls what is not part of the API */
#undef LUAI_FUNC
#undef LUAI_DDEC
#undef LUAI_DDEF
#define LUAI_FUNC static
#define LUAI_DDEC(def)
#define LUAI_DDEF static

#include "lzio.c"
#include "lctype.c"
#include "lopcodes.c"
#include "lmem.c"
#include "lundump.c"
#include "ldump.c"
#include "lstate.c"
#include "lgc.c"
#include "llex.c"
#include "lcode.c"
#include "lparser.c"
#include "ldebug.c"
#include "lfunc.c"
#include "lobject.c"
#include "ltm.c"
#include "lstring.c"
#include "ltable.c"
#include "ldo.c"
#include "lvm.c"
#include "lapi.c"


/*
** What the guest adds to Lua's API, for natives that look at one value after the other: one call of these does what the
** API does in three to thirty. Their callers are in guest/src/convert/raw.rs, which says what they are given.
*/

/* What the profile is taken of calls none of them: by it they would be cold. */
#define KAEL_API  LUA_API __attribute__((no_profile_instrument_function))

typedef struct KaelSlot {
  int type;  /* LUA_T*; KAEL_INTEGER is a number that is an integer */
  size_t length;  /* of a string */
  union {
    lua_Integer integer;
    lua_Number number;
    const void *at;  /* the bytes of a string, a table's identity, what a light userdata holds; or not null for true */
  } is;
} KaelSlot;

#define KAEL_INTEGER  102

KAEL_API void kael_slot (lua_State *L, int at, KaelSlot *slot) {
  StkId place = L->ci->func.p + at;
  const TValue *o = s2v(place);
  if (at < 1 || place >= L->top.p) {
    slot->type = LUA_TNIL;
    return;
  }
  slot->type = ttype(o);
  switch (slot->type) {
    case LUA_TBOOLEAN: slot->is.at = ttistrue(o) ? L : NULL; break;
    case LUA_TNUMBER:
      if (ttisinteger(o)) {
        slot->type = KAEL_INTEGER;
        slot->is.integer = ivalue(o);
      }
      else
        slot->is.number = fltvalue(o);
      break;
    case LUA_TSTRING: slot->is.at = getlstr(tsvalue(o), slot->length); break;
    case LUA_TTABLE: slot->is.at = hvalue(o); break;
    case LUA_TLIGHTUSERDATA: slot->is.at = pvalue(o); break;
    default: break;
  }
}

KAEL_API int kael_next (lua_State *L, int at) {
  const TValue *o = s2v(L->ci->func.p + at);
  if (at < 1 || L->ci->func.p + at >= L->top.p - 1 || !ttistable(o)) return -1;
  if (luaH_next(L, hvalue(o), L->top.p - 1)) {
    api_incr_top(L);
    return 1;
  }
  L->top.p--;
  return 0;
}

KAEL_API int kael_cut (lua_State *L, int top) {
  StkId to = L->ci->func.p + 1 + top;
  if (top < 0 || to > L->top.p) return 0;
  L->top.p = to;  /* no native has a variable to be closed */
  return 1;
}

KAEL_API int kael_fill (lua_State *L, int at, int count, int pairs) {
  StkId place = L->ci->func.p + at;
  StkId first = place + 1;
  Table *t;
  int i;
  if (at < 1 || count < 0 || L->top.p - first != (pairs ? 2 * count : count)) return 0;
  for (i = 0; pairs && i < count; i++)
    if (!ttisstring(s2v(first + 2 * i))) return 0;
  t = luaH_new(L);
  sethvalue2s(L, place, t);
  if (count > 0)
    luaH_resize(L, t, pairs ? 0 : cast_uint(count), pairs ? cast_uint(count) : 0);
  /* in their order: the last of two equal keys holds */
  for (i = 0; i < count; i++) {
    TValue *value = s2v(pairs ? first + 2 * i + 1 : first + i);
    if (pairs)
      luaH_set(L, t, s2v(first + 2 * i), value);
    else
      luaH_setint(L, t, i + 1, value);
    luaC_barrierback(L, obj2gco(t), value);
  }
  L->top.p = first;
  luaC_checkGC(L);
  return 1;
}

/* Lua code can give finalisers to tables alone: what else has one is a library's. */
static int kael_has_table (const GCObject *o) {
  for (; o != NULL; o = o->next)
    if (o->tt == LUA_VTABLE) return 1;
  return 0;
}

KAEL_API int kael_finalizers (lua_State *L) {
  return kael_has_table(G(L)->finobj) || kael_has_table(G(L)->tobefnz);
}

/*
** Calls the finalisers of all tables that have one, the last made first, as 'lua_close' does: no object gets one any more, and
** nothing is collected afterwards. For the end of a run, whose memory is thrown away.
*/
KAEL_API void kael_finalize (lua_State *L) {
  global_State *g = G(L);
  if (!kael_finalizers(L)) return;
  g->gcstp |= GCSTPCLS;
  luaC_changemode(L, KGC_INC);
  separatetobefnz(g, 1);
  while (kael_has_table(g->tobefnz))
    GCTM(L);
}
