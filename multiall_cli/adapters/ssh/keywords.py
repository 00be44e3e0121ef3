"""The keywords of ssh_config(5), and how MultiAll treats each."""

_HONOURED = """
    addressfamily bindaddress canonicaldomains canonicalizefallbacklocal canonicalizehostname canonicalizemaxdots
    certificatefile connecttimeout globalknownhostsfile host hostkeyalias hostname identitiesonly identityagent
    identityfile ignoreunknown include match port proxycommand proxyjump revokedhostkeys tag user
    userknownhostsfile
"""
_WITHOUT_EFFECT = """
    addkeystoagent batchmode channeltimeout checkhostip clearallforwardings compression connectionattempts
    controlmaster controlpath controlpersist enableescapecommandline enablesshkeysign escapechar
    exitonforwardfailure fingerprinthash forkafterauthentication forwardx11timeout forwardx11trusted gatewayports
    hashknownhosts ipqos loglevel logverbose nohostauthenticationforlocalhost numberofpasswordprompts
    obscurekeystroketiming permitlocalcommand permitremoteopen proxyusefdpass requesttty sessiontype stdinnull
    streamlocalbindmask streamlocalbindunlink syslogfacility tcpkeepalive tunneldevice updatehostkeys usekeychain
    versionaddendum visualhostkey warnweakcrypto xauthlocation serveralivecountmax serveraliveinterval
    cipher compressionlevel fallbacktorsh globalknownhostsfile2 protocol rsaauthentication rhostsrsaauthentication
    rhostsauthentication useprivilegedport userknownhostsfile2 useroaming usersh dsaauthentication keepalive
    protocolkeepalives setuptimeout useblacklistedkeys
    compressionlevel afstokenpassing kerberosauthentication kerberostgtpassing
"""
_NOT_HONOURED = """
    bindinterface canonicalizepermittedcnames casignaturealgorithms challengeresponseauthentication ciphers
    dynamicforward forwardagent forwardx11 gssapiauthentication gssapiclientidentity gssapidelegatecredentials
    gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns
    hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes hostkeyalgorithms
    kbdinteractiveauthentication kbdinteractivedevices kexalgorithms knownhostscommand localcommand localforward macs
    passwordauthentication pkcs11provider preferredauthentications pubkeyacceptedalgorithms pubkeyacceptedkeytypes
    pubkeyauthentication refuseconnection rekeylimit remotecommand remoteforward requiredrsasize
    securitykeyprovider sendenv setenv skeyauthentication smartcarddevice stricthostkeychecking
    tisauthentication tunnel verifyhostkeydns
"""
HONOURED = frozenset(_HONOURED.split())
WITHOUT_EFFECT = frozenset(_WITHOUT_EFFECT.split())
"""They concern what our sessions do not have (terminals, forwarding, sharing, messages), or are obsolete."""
NOT_HONOURED = frozenset(_NOT_HONOURED.split())
KNOWN = HONOURED | WITHOUT_EFFECT | NOT_HONOURED

SYNONYMS = {
    "dsaauthentication": "pubkeyauthentication",
    "identityfile2": "identityfile",
    "rsaminsize": "requiredrsasize",
    "skeyauthentication": "kbdinteractiveauthentication",
    "tisauthentication": "kbdinteractiveauthentication",
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
}
OFF = {
    "forwardagent": ("no",),
    "forwardx11": ("no",),
    "gssapiauthentication": ("no", "yes"),  # Debian's own /etc/ssh/ssh_config says yes
    "gssapidelegatecredentials": ("no",),
    "gssapikeyexchange": ("no",),
    "gssapitrustdns": ("no",),
    "hostbasedauthentication": ("no",),
    "kbdinteractiveauthentication": ("no", "yes"),
    "knownhostscommand": ("none",),
    "passwordauthentication": ("yes",),
    "pkcs11provider": ("none",),
    "pubkeyauthentication": ("yes",),
    "rekeylimit": ("default", "none"),
    "remotecommand": ("none",),
    "sendenv": ("LANG", "LC_*"),  # as in Debian's own
    "stricthostkeychecking": ("yes", "ask", "accept-new"),
    "tunnel": ("no",),
    "verifyhostkeydns": ("no",),
}
"""Values with which ssh behaves as MultiAll does: they are not reported."""
SEVERAL = frozenset(("identityfile", "certificatefile", "localforward", "remoteforward", "dynamicforward", "sendenv"))
"""Keywords of which every value counts, not only the first."""
LISTS = frozenset(("userknownhostsfile", "globalknownhostsfile", "canonicaldomains", "sendenv", "setenv"))
LINES = frozenset(("proxycommand", "proxyjump", "localcommand", "remotecommand", "knownhostscommand"))
"""Keywords whose value is the unparsed rest of the line."""
