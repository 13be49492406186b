#!/usr/bin/env python3
"""Makes tests/golden/jinja/cases.json: templates that use every feature of the interpreter, with jinja2's texts.

    python tools/golden_jinja.py

Each case is [template, text or null]: null where jinja2 refuses, at compile or run time. All are rendered with
the variables in "root" and at the moment in "now". Needs jinja2 3.1.
"""
import json

from check_jinja import NOW, reference

ROOT = {
    "s": " Hello, World! ", "e": "", "u": "Zürich ÀÉ ß ŐŁ Ωσς Жж 😀", "q": "it's \"q\" \\ \n\t\x07 é\u200b", "n": 7, "z": 0,
    "f": 2.5, "big": 1e22, "tiny": 1.5e-7, "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "w": ["b", "A", "c"],
    "mix": [1, "1", 1.0, True, None, [2], {"k": "v"}], "d": {"b": 1, "a": 2, "items": 3, "C": None},
    "m": [{"role": "user", "content": "Hi", "n": 1, "x": {"y": [10, 20]}}, {"role": "assistant", "content": "Yo", "n": 2},
          {"role": "user", "content": "", "n": 3, "x": {"y": [30]}}],
    "nested": {"a": [1, {"b": None, "c": [True, 1.5, "é"]}], "t": {}}, "lines": "a\nb\r\n\nc\u2028d", "digits": "12_3",
}

STATEMENTS = [
    "a\n{% if yes %}\nb\n{% else %}\nc\n{% endif %}\nd\n", "  {% if yes %}  x  {% endif %}  \n y", "a {%- if yes %} b {% endif -%} \n c",
    "a\n  {%+ if yes %} b{% endif +%}\n c", "{{ 'a' }}\n{{- ' b ' -}}\n c\n", "x{# comment #}y{#- c -#}  z\n{# line #}\nw",
    "{% raw %}{{ x }} {% if %}{% endraw %}", "a {%- raw -%}  b {{ c }}  {%- endraw -%}  d", "{% raw %}\nx{% endraw %}\ny",
    "\n\n{% set x = 1 %}\n\n{{ x }}\n\n", "a\r\nb\rc\r\n", "{{ 1 }}{% set a, b = 1, 'x' %}{{ a }}{{ b }}",
    "{% set (a, b) = [1, 2] %}{{ a + b }}", "{% set a = 1, 2 %}{{ a }}", "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper | trim %} ab {% endset %}[{{ x }}]", "{% set ns = namespace(a=1, b='x') %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}",
    "{% set ns = namespace({'a': 1}, c=2) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.c }}{{ ns.nope is defined }}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set s.x = 1 %}", "{% set nope.x = 1 %}",
    "{% if no %}{% set x = 1 %}{% endif %}[{{ x }}]", "{% if yes %}{% set x = 1 %}{% endif %}[{{ x }}]",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }}{% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}:{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% else %}none{% endfor %}",
    "{% for i in l if i > 9 %}{{ i }}{% else %}none{% endfor %}", "{% for i in [] %}x{% else %}y{% endfor %}", "{% for c in 'äb😀' %}{{ c }},{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in [[1, 2], 'xy'] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% for i in nil %}{% endfor %}",
    "{% for i in nope %}x{% else %}empty{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1, 2] %}{% for j in 'ab' %}{{ i }}{{ j }}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for i in [1, 2] %}{% if i %}{% set y = i %}{% endif %}{{ y }}{% endfor %}{{ y is defined }}", "{% break %}", "{% for i in l %}",
    "{% set ns = namespace(stop=false) %}{% for i in l if not ns.stop %}{{ i }}{% set ns.stop = true %}{% endfor %}",
    "{% macro f(a, b=2, c=a ~ '!') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, c=5) }}{{ f(b=1, a=0) }}", "{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}{{ f(1) }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(x=2) }}", "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, k='v') }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro f(t) -%} {{ t }} {%- endmacro %}{% for i in l %}{{ f(i) }}{% endfor %}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{{ n }}{% endcall %}", "{% macro f() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}{% call(x) f() %}<{{ x }}>{% endcall %}",
    "{% macro f(x) %}{{ x | upper }}{% endmacro %}{% set y = f('a') %}{{ y ~ y }}", "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% for x in [2] %}{{ f() }}{% endfor %}",
    "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'b': 1, 'a': 2}) }}{{ f(1, *[2]) }}", "{{ f() }}{% macro f() %}x{% endmacro %}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | trim %} aaa {% endfilter %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a is defined }}{{ c is defined }}",
    "{% generation %}a{{ n }}{% set g = 1 %}{% endgeneration %}{{ g is defined }}", "{% print n, s %}", "{% if n > 9 %}a{% elif n > 5 %}b{% elif n %}c{% else %}d{% endif %}",
    "{{ raise_exception('No: ' ~ n) }}", "{% if no %}{{ raise_exception('x') }}{% endif %}fine", "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%A, %B %-d, %Y %H:%M:%S %j %p %I %y %e %%') }}|{{ strftime_now('%Y-%m-%dT%H') }}|{{ strftime_now('%F %T %a %D') }}",
    "{% do l.append(1) %}", "{% include 'x' %}", "{% nope %}", "{% if %}", "{{ }}", "{{ 1 +", "{% endif %}", "{% if yes %}", "{{ 'a }}", "{# x", "{% raw %}", "{{ (1 }}", "{{ 1) }}", "{{ [1, 2 }}", "{{ {'a' 1} }}", "{{ a b }}",
    "{{ x | nope }}", "{% if no %}{{ x | nope }}{% endif %}fine", "{{ (x | nope) if no else 'fine' }}", "{{ x is nope }}", "{{ 1 is defined is defined }}", "{{ 'a' 'b' \"c\" }}", "{% set true = 1 %}", "{{ x! }}", "{{ 'a' | upper() }}", "{% for i in 1, 2, %}{{ i }}{% endfor %}",
    "{{ (l | map('string') | list)[::-1] | join('-') }}", "{% if l | select('odd') %}always{% endif %}{% if [] | select %}too{% endif %}", "{% set g = l | map('string') %}{{ g | list }}{{ g | list }}",
    "<{{ '<b>' | safe }}{{ '<b>' | e + '<' }}{{ '<' + ('>' | e) }}{{ '<b>' | e | e }}{{ '<' | e | forceescape }}>", "{%- if yes -%}\n  x\n{%- endif -%}\n", "{{ n }}\n\n", "{{ n }}\n",
]

# One expression between two ";;", or a line of its own.
EXPRESSIONS = r"""
s ;; e ;; u ;; q ;; n ;; z ;; f ;; big ;; tiny ;; yes ;; no ;; nil ;; l ;; mix ;; d ;; m ;; nested ;; nope
none ;; true ;; None ;; True ;; 1_000 ;; 0x1F ;; 0b101 ;; 0o17 ;; 1.5e3 ;; 1e100 ;; .5 ;; 1.0 ;; 1.25e-5
123456789.123 ;; 1e16 ;; 123456789012345680.0 ;; -0.0 ;; 0.1+0.2 ;; 100/3
1+2*3 ;; 7//2 ;; -7//2 ;; 7%3 ;; -7%3 ;; 7%-3 ;; 2**10 ;; 2**-1 ;; 7.5//2 ;; -7.5%2 ;; 1/2 ;; 4/2 ;; 10*'ab'
'ab'*2 ;; [1]*3 ;; (1,)*2 ;; [1]+[2] ;; (1,)+(2,) ;; 'a'+'b' ;; 'a'+1 ;; 1+nil ;; nope+1 ;; 'a'+nope ;; 1~2
'a'~nil~1.0~[1] ;; -n ;; +n ;; -s ;; --1 ;; -n|abs ;; (-3)|abs ;; 1//0 ;; 1%0 ;; 1.0/0 ;; 9223372036854775807
2**3**2 ;; -2**2
n==7 ;; n!=7 ;; n==7.0 ;; 1==true ;; 'a'=='a' ;; 'a'==1 ;; l==[3,1,2] ;; [1]==(1,) ;; nope==nope2 ;; nil==none
1<2<3 ;; 1<3<2 ;; 'a'<'b' ;; 'Z'<'a' ;; [1,2]<[1,3] ;; 'a'<1 ;; nil<1 ;; 1<=1>=1 ;; 'a'in'abc' ;; 'd'in'abc'
1in'abc' ;; 3in(l) ;; 9 not in(l) ;; 'a'in(d) ;; 'x'not in(d) ;; 1in(nil) ;; 1in(nope) ;; ''in'' ;; 'é'in('é')
not(n) ;; (yes)and(n) ;; (no)and(n) ;; (no)or(n) ;; (z)or(e)or('x') ;; (nil)or(nope) ;; (n)if(yes) ;; (n)if(no)
[(n)if(no)else('b')] not(no)and(yes) ;; yes==(not(no))
s[0] ;; s[-1] ;; s[100] ;; s[1:6] ;; s[::-1] ;; s[:-3] ;; s[-3:] ;; s[::2] ;; s[10:2:-2] ;; s[5:2] ;; u[0:8]
u[-1] ;; u[::-1] ;; u[1] ;; l[0] ;; l[-1] ;; l[5] ;; l[1:] ;; l[::-1] ;; l[0:9:2] ;; l['a'] ;; d.a ;; d['a']
d.items ;; d['items'] ;; d.nope ;; d.nope.x ;; nope.x ;; nope['x'] ;; nil.x ;; nil['x'] ;; n.x ;; m[0].role
m[0]['x']['y'][1] ;; m[1].x.y ;; m.0.role ;; l[nil:2] ;; l[::0] ;; nil[1:] ;; nope[1:] ;; (1,2)[0] ;; 'abc'[true]
l.0 ;; d.get('a') ;; d.get('x') ;; d.get('x',5) ;; d.get('x',default=5) ;; d.keys() ;; d.values()|list
d.items()|list ;; d.keys()|list ;; d.copy() ;; d.pop ;; d.pop('a') ;; l.append(1) ;; l.count(1) ;; l.index(2)
l.index(9) ;; l.copy() ;; (1,1).count(1) ;; s.__class__ ;; s.__class__.x
s.strip() ;; s.lstrip() ;; s.rstrip() ;; s.strip(' H!') ;; s|trim ;; s|trim(' !') ;; 'xxabxx'.strip('x')
u.strip('Z') ;; s.upper() ;; s.lower() ;; u.upper() ;; u.lower() ;; u|upper ;; u|lower ;; s.title() ;; s|title
'a-b_c(d'|title ;; 'aB cD'.title() ;; "it's".title() ;; s|capitalize ;; 'ABC'.capitalize() ;; 'élan'.capitalize()
s.split() ;; s.split(',') ;; 'a,b,c'.split(',',1) ;; 'a,b,c'.rsplit(',',1) ;; 'a,b,c'.split(sep=',',maxsplit=1)
' a  b '.split(none,1) ;; ' a  b '.rsplit(none,1) ;; ''.split() ;; ''.split(',') ;; 'aXXb'.split('XX')
'a'.split('') ;; lines.splitlines() ;; lines.splitlines(true) ;; ''.splitlines() ;; 'a\n'.splitlines()
s.startswith(' H') ;; s.startswith(('x',' H')) ;; s.endswith('! ') ;; s.endswith(('x',)) ;; s.startswith('H',1)
s.startswith(1) ;; s.replace('l','L') ;; s.replace('l','L',1) ;; s.replace('','-') ;; s.replace('','-',2)
s.replace('zz','') ;; s.find('o') ;; s.find('o',6) ;; s.find('zz') ;; s.rfind('o') ;; s.index('W')
s.index('zz') ;; u.find('Ж') ;; s.count('l') ;; s.count('') ;; 'aaa'.count('aa') ;; ', '.join(w)
', '.join([1]) ;; ''.join('abc') ;; 'ab'.join(d) ;; digits.isdigit() ;; '123'.isdigit() ;; ''.isdigit()
'ab'.isalpha() ;; 'a1'.isalnum() ;; ' '.isspace() ;; ''.isspace() ;; 'aB'.isupper() ;; 'AB1'.isupper()
'ab'.islower() ;; '1'.islower() ;; 'abc'.removeprefix('a') ;; 'abc'.removesuffix('c') ;; 'abc'.removeprefix('x')
'a=b=c'.partition('=') ;; 'a=b=c'.rpartition('=') ;; 'abc'.partition('=') ;; 'abc'.rpartition('=')
'{}-{}'.format(1,'a') ;; '{1}{0}{x}{{}}'.format(1,2,x=3) ;; '{}'.format() ;; '%s|%d%%'%(1,2) ;; '%s'%'a'
'%s %s'%'a' ;; '%r'%('a',) ;; '%s-%s'|format(1,'b') ;; s.nope ;; s.nope() ;; s.upper ;; s() ;; n()
s|length ;; u|length ;; l|length ;; d|length ;; l|count ;; nil|length ;; n|length ;; nope|length
(l|map('string'))|length ;; q|tojson ;; u|tojson ;; u|tojson(ensure_ascii=true) ;; mix|tojson ;; nested|tojson
nested|tojson(indent=2) ;; nested|tojson(indent=0) ;; nested|tojson(indent='..')
nested|tojson(separators=(',',':')) ;; nested|tojson(indent=1,separators=(',','=')) ;; d|tojson(sort_keys=true)
{1:2,none:3,true:4,1.5:5}|tojson ;; nope|tojson ;; [nope]|tojson ;; (1,2)|tojson ;; big|tojson ;; tiny|tojson
f|tojson ;; (l|map('string'))|tojson ;; '</a>&'|tojson ;; [[],{}]|tojson ;; [[],{}]|tojson(indent=2)
d.items()|tojson
nope|default('x') ;; nope|default ;; nil|default('x') ;; nil|default('x',true) ;; e|d('x',boolean=true)
e|d('x') ;; nope.x|default('y') ;; d.nope|default('y') ;; l|join ;; l|join(',') ;; l|join(1)
m|join(',',attribute='role') ;; u[:3]|join('-') ;; nil|join ;; nope|join ;; l|first ;; l|last ;; []|first
[]|last ;; e|first ;; s|first ;; d|first ;; nope|first ;; nope|last ;; (l|map('string'))|first
(l|map('string'))|last ;; l|list ;; s|list ;; d|list ;; nil|list ;; nope|list ;; 'ab'|list ;; l|string
nil|string ;; f|string ;; '12'|int ;; ' 12 '|int ;; '12.7'|int ;; 'x'|int ;; 'x'|int(5) ;; ''|int ;; none|int
f|int ;; yes|int ;; '-3'|int ;; '1_0'|int ;; '1e3'|int ;; '0x1f'|int ;; nope|int ;; '1.5'|float ;; 'x'|float
'x'|float(2) ;; '1e5'|float ;; n|float ;; 'inf'|float ;; 'nan'|float ;; 2.5|round ;; 3.5|round ;; 2.675|round(2)
2.4|round(method='ceil') ;; 2.45|round(1,'floor') ;; 7|round ;; n|round(1) ;; 'x'|round ;; nope|round ;; 3|abs
'x'|abs
s|replace('l','L') ;; s|replace('l','L',1) ;; n|replace(7,8) ;; l|map('string')|list
m|map(attribute='role')|list ;; m|map(attribute='x.y.0')|list ;; m|map(attribute='x.y.0',default='-')|list
m|map(attribute='nope',default='-')|join(',') ;; ['a',' b ']|map('trim')|map('upper')|join(',')
l|map('nope')|list ;; l|map|list ;; nil|map('string')|list ;; l|select('odd')|list ;; l|select('>',1)|list
l|select('in',[1,2])|list ;; mix|select|list ;; l|reject('equalto',1)|list ;; mix|reject|list
m|selectattr('content')|map(attribute='n')|list ;; m|selectattr('role','equalto','user')|list|length
m|selectattr('role','==','user')|first ;; m|rejectattr('role','eq','user')|list
m|selectattr('x','defined')|list|length ;; m|rejectattr('x')|list ;; m|selectattr('nope')|list
m|selectattr('role','nope')|list ;; l|select('divisibleby',3)|list ;; nil|selectattr('x')|list
d|items|list ;; nope|items|list ;; l|items|list ;; d|dictsort ;; d|dictsort(by='value')
{'b':2,'a':9}|dictsort(false,'value') ;; {'b':2,'A':9}|dictsort ;; {'b':2,'A':9}|dictsort(true)
{'b':2,'A':9}|dictsort(reverse=true) ;; d|dictsort(by='x') ;; l|sort ;; l|sort(reverse=true) ;; w|sort
w|sort(case_sensitive=true) ;; m|sort(attribute='role')|map(attribute='n')|list
m|sort(true,attribute='n')|map(attribute='n')|join ;; mix|sort ;; [1,'a']|sort ;; s|sort|join ;; l|reverse|list
'abc'|reverse ;; nope|sort ;; ['a','A','b','a']|unique|list ;; ['a','A']|unique(true)|list
m|unique(attribute='role')|map(attribute='n')|list ;; l|sum ;; l|sum(start=10) ;; m|sum(attribute='n') ;; []|sum
['a']|sum ;; l|min ;; l|max ;; []|min ;; w|max ;; m|max(attribute='n') ;; [1,2,3,4,5]|batch(2)|list
[1,2,3]|batch(2,0)|list ;; 'a\nb\n\nc'|indent ;; 'a\nb\n\nc'|indent(2,true) ;; 'a\nb\n\nc'|indent(2,blank=true)
'a\nb'|indent('>') ;; 'a\n'|indent ;; ''|indent ;; 'a'|indent(first=true) ;; nope|indent ;; '<a>&\'"'|e ;; l|e
d|attr('a') ;; d|attr('keys') ;; n|attr('x') ;; nope|attr('x') ;; s|upper(1) ;; s|trim(x=1) ;; s|replace('a')
s|replace(old='l',new='m')
n is defined ;; nope is defined ;; nope is undefined ;; nope is not defined ;; d.x is defined ;; nil is none
n is none ;; n is not none ;; s is string ;; n is string ;; d is mapping ;; l is mapping ;; l is iterable
s is iterable ;; n is iterable ;; nil is iterable ;; nope is iterable ;; d is iterable ;; l is sequence
s is sequence ;; d is sequence ;; nope is sequence ;; d.items() is sequence ;; range(3) is sequence
n is number ;; f is number ;; yes is number ;; s is number ;; n is integer ;; yes is integer ;; f is integer
f is float ;; n is float ;; yes is boolean ;; n is boolean ;; yes is true ;; no is false ;; n is true
1 is true ;; z is false ;; n is equalto 7 ;; n is eq(7) ;; n is ne 7 ;; n is gt 5 ;; n is lessthan 5 ;; n is ge
7 ;; n is le(6) ;; n is in [7] ;; 'a'is in 'abc' ;; n is not in [7] ;; n is odd ;; n is even ;; z is even
n is divisibleby 7 ;; n is divisibleby(2) ;; s is lower ;; 'abc'is lower ;; 'ABC'is upper ;; n is upper
range is callable ;; s is callable ;; s.upper is callable ;; nope is callable ;; nil is sameas none
yes is sameas true ;; l is sameas l ;; [] is sameas [] ;; 'upper'is filter ;; 'nope'is filter ;; 'odd'is test
f is odd ;; s is odd ;; nope is odd ;; 'a'is nope ;; n is defined and(yes) not(n is defined)
n is defined or(nope) ;; (n is odd)and(n is number)
range(3)|list ;; range(1,4)|list ;; range(5,0,-2)|list ;; range(0)|list ;; range(3) ;; range(100000)|length
range(100001)|length ;; range(1,2,0) ;; range('a') ;; dict(a=1,b=2) ;; dict({'a':1},b=2) ;; namespace(a=1).a
namespace() ;; [1,2,][0] ;; (1) ;; (1,) ;; () ;; [] ;; {} ;; {'a':1,'b':[2]} ;; {'a':1,'a':2} ;; {1:'x',1.0:'y'}
{[1]:2} ;; {'a':1}.a ;; ('a','b') ;; ['a','é','\n'] ;; 'a\x41\u00e9\101\q\'\"' ;; "\U0001F600" ;; '\xZ' ;; "a"
'a"b' ;; "a'b" ;; ["a'b"] ;; ['a"b\'c'] ;; [u] ;; [q] ;; ['\u00ad\u3000\ue000\xa0']
1 if yes else 2 if no else 3 ;; (1 if no else 2)+1 ;; n if yes ;; 'x'if(nope)else('y') ;; l[0]+l[1]*l[2]
m|length>1 ;; m|length-1 ;; (m|length)-1 ;; s|upper~s|lower ;; m[-1]['role']=='user' ;; m[::-1][0].n
m[1:]|length ;; m|map(attribute='n')|sum+1 ;; 'a'~'b'*2 ;; 1+1~2 ;; s.split(',')[1].strip()[::-1]|upper
nope.x is defined ;; (nope).x|default('a') ;; d['x']|default(d.y,true)|default('z') ;; [nope] ;; [none,true]
{'a':nope} ;; f*2 ;; f//1 ;; 7.0//2 ;; -1//2.0 ;; 1e3|int ;; 5|string+'a' ;; 'a'|string|length ;; 3.0|string
1e15 ;; 1e17|int ;; n|float|string ;; true|string ;; true+1 ;; true~'' ;; [true,none]|join(',') ;; -n*2
-(n) not n not not n ;; n and nil ;; nil and n ;; s and e ;; '%'~1 ;; "}}" ;; '%}' ;; '{{' ;; "{%"
{'a':{'b':1}}.a.b ;; {'a':{'b':1}}['a'].b
"""


def main():
    cases = []
    templates = list(STATEMENTS)
    for line in EXPRESSIONS.strip().split("\n"):
        templates += ["[{{ " + e + " }}]" for e in line.split(" ;; ")]
    for t in dict.fromkeys(templates):
        text, _ = reference(t, ROOT)
        if text is not None and " at 0x" in text:  # where something lies in memory is no golden
            continue
        cases.append([t, text])
    with open("tests/golden/jinja/cases.json", "w", encoding="utf-8") as f:
        f.write('{"now": %s,\n"root": %s,\n"cases": [\n' % (json.dumps(NOW), json.dumps(ROOT, ensure_ascii=False)))
        f.write(",\n".join(json.dumps(c, ensure_ascii=False) for c in cases))
        f.write("\n]}\n")
    print(f"{len(cases)} cases, {sum(t is None for _, t in cases)} refused")


if __name__ == "__main__":
    main()
