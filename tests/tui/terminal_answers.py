"""What terminals say that is no key: answers to queries, reports and notices, none of which was asked for."""

ST = "\x1b\\"

_SEVEN_BIT = (
    # DCS: XTGETTCAP, DECRQSS, XTVERSION, DA3, DECRQCRA, sixels
    f"\x1bP1+r544e=787465726d2d6b69747479{ST}",
    f"\x1bP0+r4d73{ST}",
    f"\x1bP1$r0;38:2::1:2:3m{ST}",
    f"\x1bP>|XTerm(388){ST}",
    f"\x1bP>|WezTerm 20240203-110809-5046fc22{ST}",
    f"\x1bP!|7E565445{ST}",
    f"\x1bP1!~1A2B{ST}",
    # CSI: DA1, DA2, DSR, CPR, DECXCPR, DECRPM, DECREQTPARM, window reports, sixel attributes, keyboard protocol, theme
    "\x1b[?62;1;2;4;6;9;15;22c",
    "\x1b[>41;388;0c",
    "\x1b[0n",
    "\x1b[24;80R",
    "\x1b[?24;80;1R",
    "\x1b[?2027;0$y",
    "\x1b[4;2$y",
    "\x1b[2;1;1;112;112;1;0x",
    "\x1b[8;24;80t",
    "\x1b[4;1200;1920t",
    "\x1b[48;24;80;480;1280t",
    "\x1b[1t",
    "\x1b[?1;0;256S",
    "\x1b[?1u",
    "\x1b[?997;1n",
    "\x1b[>4;2m",
    "\x1b[1;2;3;4&w",
    "\x1b[113;1S",
    "\x1b[99;5~",
    "\x1b[u",
    "\x1b[100;1;2;3;4;5;6;7q",
    # OSC: colours, clipboard, palette, titles, notices; ended either way
    "\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
    f"\x1b]10;rgb:ffff/ffff/ffff{ST}",
    f"\x1b]4;0;rgb:00/00/00{ST}",
    "\x1b]52;c;ZGRNbXFx\x07",
    f"\x1b]lddmmq — ünïcode{ST}",
    f"\x1b]L{ST}",
    f"\x1b]99;i=1:p=?;{ST}",
    f"\x1b]1337;ReportCellSize=17.0;8.0{ST}",
    f"\x1b]5522;type=read:status=OK{ST}",
    # APC, PM, SOS
    f"\x1b_Gi=31;OK{ST}",
    f"\x1b_Gi=31;ENOENT:dMq{ST}",
    f"\x1b^dmq{ST}",
    f"\x1bXdmq{ST}",
    "\x1b[ITERM2 3.5.0n",
)

_EIGHT = {"P": "\x90", "[": "\x9b", "]": "\x9d", "^": "\x9e", "_": "\x9f", "X": "\x98"}


def _in_eight_bits(answer: str) -> str:
    return (_EIGHT[answer[1]] + answer[2:]).replace(ST, "\x9c")


ANSWERS = (*_SEVEN_BIT, *(_in_eight_bits(answer) for answer in _SEVEN_BIT[::7]))
