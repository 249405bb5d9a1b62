package org.fhirstack.gateway.access;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.FhirTypes;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.token.User;

/**
 * Binds the backend's page ids to the user who got them. A page id alone lets anyone read the pages; here it needs a
 * signature over the id, the user and how the page is judged. Nothing is remembered, so any replica can check it.
 */
public final class PageLinks {
    /** The parameter that carries the signature. */
    public static final String PARAM = "_pagesig";
    /** The Android FHIR SDK's own download manager adds it to every URL; what is on a page is settled already. */
    static final String SINCE = "_lastUpdated";
    private static final Set<String> ALLOWED = Set.of("_getpages", "_getpagesoffset", "_pageId", "_count", "_pretty",
            "_bundletype", "_format", "_summary", "_elements", SINCE, PARAM);
    private final byte[] secret;

    public PageLinks(byte[] secret) {
        this.secret = secret.clone();
    }

    /** The value of {@link #PARAM} for a page of a user. */
    public String sign(String pageId, User user, AnswerRule.Page page) {
        String payload = Base64.getUrlEncoder().withoutPadding().encodeToString(String.join(" ", page.type(),
                page.mode().name(), page.filter().isEmpty() ? "-" : page.filter(),
                page.locations().isEmpty() ? "-" : page.locations()).getBytes(StandardCharsets.UTF_8));
        return payload + "." + mac(pageId, user, payload);
    }

    /** What was signed into a page link; refuses a link that is not this user's, or was altered. */
    public AnswerRule.Page verify(Query query, User user) {
        String pageId = query.single("_getpages");
        String signature = query.single(PARAM);
        if (!query.onlyHas(ALLOWED)) {
            throw Refusal.malformed("A page link takes no other parameters.");
        }
        query.params().forEach(p -> query.single(p.name()));
        int dot = signature == null ? -1 : signature.indexOf('.');
        if (dot < 0 || !MessageDigest.isEqual(mac(pageId, user, signature.substring(0, dot))
                .getBytes(StandardCharsets.US_ASCII), signature.substring(dot + 1).getBytes(StandardCharsets.UTF_8))) {
            throw Refusal.denied("page-link", "This page link was not given to you.");
        }
        String[] s = new String(Base64.getUrlDecoder().decode(signature.substring(0, dot)), StandardCharsets.UTF_8)
                .split(" ");
        if (!FhirTypes.known(s[0])) {
            throw Refusal.denied("page-link", "This page link is not valid.");
        }
        return new AnswerRule.Page(s[0], AnswerRule.Mode.valueOf(s[1]), s[2].equals("-") ? "" : s[2],
                s[3].equals("-") ? "" : s[3]);
    }

    private String mac(String pageId, User user, String payload) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            for (String part : new String[] {"page-link-3", pageId, user.sub(), user.appId(), user.client().name(),
                payload}) {
                byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
                mac.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
                mac.update(bytes);
            }
            return Base64.getUrlEncoder().withoutPadding().encodeToString(mac.doFinal());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
