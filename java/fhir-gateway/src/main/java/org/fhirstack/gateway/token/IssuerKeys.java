package org.fhirstack.gateway.token;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.RSAPublicKeySpec;
import java.time.Clock;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.fhirstack.gateway.Json;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The issuer's signing keys, from the JWKS that its discovery document names. They are fetched in the background, so
 * the gateway starts before the issuer, follows key rotation, and forgets keys that the issuer no longer shows.
 */
public final class IssuerKeys {
    /** Keys older than this are not trusted: a removed key must not live on behind an unreachable issuer. */
    public static final Duration MAX_AGE = Duration.ofMinutes(15);
    private static final Duration REFRESH = Duration.ofMinutes(1);
    private static final Duration RETRY = Duration.ofSeconds(2);
    private static final Duration UNKNOWN_KID_PAUSE = Duration.ofSeconds(10);
    private static final Logger LOG = LoggerFactory.getLogger(IssuerKeys.class);

    /** Fetches a document by address; replaced in tests. */
    public interface Fetcher {
        byte[] get(String url) throws IOException;
    }

    private record Snapshot(Map<String, RSAPublicKey> keys, JsonNode discovery, long fetched) {
    }

    private final String issuer;
    private final String discoveryUrl;
    private final Fetcher fetcher;
    private final Clock clock;
    private final ReentrantLock refetch = new ReentrantLock();
    private volatile Snapshot snapshot;
    private long lastForced = Long.MIN_VALUE / 2;
    private String lastError = "";

    public IssuerKeys(String issuer, String wellKnown, Fetcher fetcher, Clock clock) {
        this.issuer = issuer;
        this.discoveryUrl = issuer + "/" + wellKnown;
        this.fetcher = fetcher;
        this.clock = clock;
    }

    /** Starts the background refresh. */
    public void start() {
        Thread thread = new Thread(this::keepFresh, "issuer-keys");
        thread.setDaemon(true);
        thread.start();
    }

    private void keepFresh() {
        try {
            while (true) {
                Thread.sleep((refresh() ? REFRESH : RETRY).toMillis());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** True when keys are here and young enough to be trusted. */
    public boolean usable() {
        return usable(snapshot);
    }

    private boolean usable(Snapshot s) {
        return s != null && !s.keys().isEmpty() && clock.millis() - s.fetched() <= MAX_AGE.toMillis();
    }

    /** Seconds since the keys were fetched; NaN before the first time. */
    public double ageSeconds() {
        Snapshot s = snapshot;
        return s == null ? Double.NaN : (clock.millis() - s.fetched()) / 1000.0;
    }

    /** The issuer's discovery document, or null. */
    public JsonNode discovery() {
        Snapshot s = snapshot;
        return s == null ? null : s.discovery();
    }

    /** A key that is known and trusted now; never asks the issuer. */
    public RSAPublicKey known(String kid) {
        Snapshot s = snapshot;
        return usable(s) ? s.keys().get(kid) : null;
    }

    /** A key by its id; an unknown id makes the issuer be asked again, at most once in ten seconds. */
    public RSAPublicKey find(String kid) {
        RSAPublicKey key = known(kid);
        if (key != null) {
            return key;
        }
        try {
            if (!refetch.tryLock(3, TimeUnit.SECONDS)) {
                return null;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
        try {
            key = known(kid);
            if (key == null && clock.millis() - lastForced > UNKNOWN_KID_PAUSE.toMillis()) {
                lastForced = clock.millis();
                refresh();
                key = known(kid);
            }
            return key;
        } finally {
            refetch.unlock();
        }
    }

    /** Fetches discovery document and keys; false (and the old keys stay, until too old) when that fails. */
    public synchronized boolean refresh() {
        try {
            JsonNode discovery = Json.parse(fetcher.get(discoveryUrl));
            if (!issuer.equals(discovery.path("issuer").asText())) {
                throw new IOException("the discovery document names another issuer than TOKEN_ISSUER");
            }
            String address = discovery.path("jwks_uri").asText();
            if (!address.startsWith("https://") && !address.startsWith("http://")) {
                throw new IOException("the discovery document has no usable jwks_uri");
            }
            Map<String, RSAPublicKey> keys = read(Json.parse(fetcher.get(address)));
            if (keys.isEmpty()) {
                throw new IOException("the key set has no RSA signing key");
            }
            Snapshot old = snapshot;
            snapshot = new Snapshot(Map.copyOf(keys), discovery, clock.millis());
            if (old == null || !old.keys().keySet().equals(keys.keySet())) {
                LOG.info("issuer keys: {} usable", keys.size());
            }
            lastError = "";
            return true;
        } catch (IOException | RuntimeException e) {
            String error = String.valueOf(e.getMessage());
            if (!error.equals(lastError)) {
                LOG.warn("issuer keys could not be fetched: {}", error);
            }
            lastError = error;
            return false;
        }
    }

    private static Map<String, RSAPublicKey> read(JsonNode set) {
        Map<String, RSAPublicKey> keys = new HashMap<>();
        for (JsonNode jwk : set.path("keys")) {
            boolean signing = jwk.path("use").asText("sig").equals("sig")
                    && jwk.path("alg").asText("RS256").equals("RS256");
            if (signing && jwk.path("kty").asText().equals("RSA") && jwk.path("kid").isTextual()) {
                RSAPublicKey key = rsa(jwk);
                if (key != null && key.getModulus().bitLength() >= 2048) {
                    keys.put(jwk.path("kid").asText(), key);
                }
            }
        }
        return keys;
    }

    private static RSAPublicKey rsa(JsonNode jwk) {
        try {
            BigInteger n = new BigInteger(1, Base64.getUrlDecoder().decode(jwk.path("n").asText()));
            BigInteger e = new BigInteger(1, Base64.getUrlDecoder().decode(jwk.path("e").asText()));
            return (RSAPublicKey) KeyFactory.getInstance("RSA").generatePublic(new RSAPublicKeySpec(n, e));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return null;
        }
    }
}
