// The language, without actions. Nesting is bounded before a text comes here
// (Parse.cpp), as the generated parser recurses.
grammar NN;

program     : (importDecl | networkDecl | layerDecl | trainDecl)* EOF ;
importDecl  : 'import' STRING ;
networkDecl : 'network' ID params? block ;
layerDecl   : 'layer' ID params? ports '->' port (',' port)* block ;
trainDecl   : 'train' ID ('as' ID)? ports? '{' setting* '}' ;

params      : '(' (param (',' param)*)? ')' ;
param       : ID ('=' expr)? ;
ports       : '(' (port (',' port)*)? ')' ;
port        : ID shape? (':' type)? ;
shape       : '[' (expr (',' expr)*)? ']' ;           // dimensions; `L <= longest` bounds a free one; `[]` has none
type        : 'class' '[' expr ']' ;

block       : '{' statement* '}' ;
statement   : 'input'  port (',' port)*               # inputs
            | 'output' port (',' port)*               # outputs
            | 'weight' weight (',' weight)*           # weights
            | each                                    # loop
            | place (',' place)* '=' expr             # definition
            ;
weight      : ID shape? ('=' expr)? ;
each        : 'each' ID 'in' expr ('from' start (',' start)*)? ('until' expr)? '{' step* '}' ;
start       : ID shape? (':' type)? '=' expr ;
step        : each | place (',' place)* '=' expr ;      // loops nest
place       : ID ('[' ID ']')? ;                      // `h` or `h[t]`
setting     : ID '=' expr | 'given' ID '=' expr ;

expr        : 'if' expr 'then' expr 'else' expr | chain ;
chain       : disjunction ('|>' postfix)* ;
disjunction : conjunction ('or' conjunction)* ;
conjunction : negation ('and' negation)* ;
negation    : 'not' negation | comparison ;
comparison  : sum (('==' | '!=' | '<' | '<=' | '>' | '>=') sum)? ;
sum         : product (('+' | '-') product)* ;
product     : sign (('*' | '/' | '.*' | './') sign)* ;   // left to right; the AST builder refuses a run that mixes the dotted with the plain
sign        : '-' sign | postfix ;
postfix     : primary (call | index)* ;
call        : '(' (arg (',' arg)*)? ')' ;
arg         : ID '=' expr | ID 'in' expr | expr ;
index       : '[' at (',' at)* ']' ;
at          : expr (':' expr?)? | ':' expr? ;          // left-factored: one token decides
primary     : ID | NUMBER | SIZE | 'true' | 'false' | '(' expr (',' expr)* ')' ;

SIZE   : [0-9]+ [ \t]* ('KiB' | 'MiB' | 'GiB') ;
NUMBER : [0-9]+ ('.' [0-9]+)? ([eE] [+-]? [0-9]+)? ;   // digits on both sides of the point: `2.*x` is `2 .* x`
ID     : [a-zA-Z_] [a-zA-Z0-9_]* ;
FOREIGN : [\p{L}_] [\p{L}\p{M}0-9_]* ;             // what is longer than an ID, for its message
STRING : '"' ~["\r\n]* '"' ;
SPACE  : ([ \t\r\n]+ | '//' ~[\r\n]*) -> skip ;
OTHER  : . ;
