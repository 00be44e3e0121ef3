"""Probes of many servers at once: TCP connections and ICMP echo requests."""
